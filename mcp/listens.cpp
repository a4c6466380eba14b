#include "mcp/listens.h"

#include <algorithm>
#include <array>
#include <utility>

#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

/// URIs, and ids of tasks, of one request.
constexpr std::size_t kSubjectsMax = 256;
constexpr std::size_t kTaskIdBytesMax = 128;

struct ListKey {
  const char* key;
  Event::Kind kind;
};

constexpr std::array<ListKey, 3> kListKeys{{
    {"toolsListChanged", Event::Kind::ToolsChanged},
    {"promptsListChanged", Event::Kind::PromptsChanged},
    {"resourcesListChanged", Event::Kind::ResourcesChanged},
}};

Error invalid(const std::string& what) {
  return {ErrorCode::InvalidArgument, "params.notifications" + what};
}

/// An array of strings, each once.
Result<std::vector<std::string>> read_subjects(const Json& json, const std::string& key,
                                               const std::string& what, std::size_t bytes_max) {
  if (!json.is_array() || json.size() > kSubjectsMax) {
    return invalid("." + key + ": must be an array of at most " + std::to_string(kSubjectsMax) +
                   ' ' + what);
  }
  std::set<std::string> subjects;
  for (const Json& item : json) {
    const auto* text = item.get_ptr<const std::string*>();
    if (text == nullptr || text->empty() || text->size() > bytes_max) {
      return invalid("." + key + ": each must be a string of 1 to " + std::to_string(bytes_max) +
                     " bytes");
    }
    subjects.insert(*text);
  }
  return std::vector<std::string>(subjects.begin(), subjects.end());
}

}  // namespace

Result<ListenFilter> read_listen_filter(const Json& params) {
  const auto given = params.find("notifications");
  if (given == params.end() || !given->is_object()) return invalid(": must be an object");
  ListenFilter filter;
  for (const ListKey& known : kListKeys) {
    const auto flag = given->find(known.key);
    if (flag == given->end()) continue;
    if (!flag->is_boolean()) return invalid(std::string(".") + known.key + ": must be a boolean");
    if (flag->get<bool>()) filter.lists.insert(known.kind);
  }
  if (const auto uris = given->find("resourceSubscriptions"); uris != given->end()) {
    QV_TRY(filter.uris, read_subjects(*uris, "resourceSubscriptions", "URIs", kUriBytesMax));
  }
  if (const auto ids = given->find("taskIds"); ids != given->end()) {
    QV_TRY(filter.task_ids, read_subjects(*ids, "taskIds", "ids", kTaskIdBytesMax));
  }
  return filter;
}

Json to_json(const ListenFilter& filter) {
  Json json = Json::object();
  for (const ListKey& known : kListKeys) {
    if (filter.lists.contains(known.kind)) json[known.key] = true;
  }
  if (filter.uris) json["resourceSubscriptions"] = *filter.uris;
  if (filter.task_ids) json["taskIds"] = *filter.task_ids;
  return json;
}

/// One open request.
class Listens::Listen {
 public:
  Listen(TurnPtr turn, std::shared_ptr<const Render> render)
      : session_(turn->session.get()),
        render_(std::move(render)),
        meta_{{"io.modelcontextprotocol/subscriptionId", turn->request.id}},
        turn_(std::move(turn)) {}

  bool is_of(const Session& session) const { return session_ == &session; }
  const Session* session() const { return session_; }

  /// Nothing else is sent before it.
  bool acknowledge(const ListenFilter& honoured) QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    acknowledged_ =
        turn_->send(notification_text("notifications/subscriptions/acknowledged",
                                      {{"_meta", meta_}, {"notifications", to_json(honoured)}}));
    return acknowledged_;
  }

  Told tell(const Event& event) QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (!turn_) return Told::Yes;
    if (!acknowledged_) return Told::Later;
    const std::string text = (*render_)(event, meta_);
    return text.empty() || turn_->tell(text) ? Told::Yes : Told::Later;
  }

  void keep(std::shared_ptr<Subscription> subscription) { subscription_ = std::move(subscription); }

  /// The server ends it.
  void close(const Close& close) QV_EXCLUDES(mutex_) {
    subscription_.reset();
    const MutexLock lock(mutex_);
    if (!turn_) return;
    if (session_ != nullptr) {
      // A shared channel has no end of its own that would say so.
      turn_->tell(notification_text("notifications/cancelled",
                                    {{"_meta", meta_}, {"requestId", turn_->request.id}}));
    }
    close(*std::exchange(turn_, nullptr), meta_);
  }

  /// The client ended it: nothing more is sent.
  void drop() QV_EXCLUDES(mutex_) {
    subscription_.reset();
    const MutexLock lock(mutex_);
    if (turn_) std::exchange(turn_, nullptr)->finish({});
  }

  /// Gives the turn back, as if nothing had been opened.
  void undo() QV_EXCLUDES(mutex_) {
    subscription_.reset();
    const MutexLock lock(mutex_);
    turn_.reset();
  }

 private:
  const Session* const session_;
  const std::shared_ptr<const Render> render_;
  const Json meta_;
  std::shared_ptr<Subscription> subscription_;
  Mutex mutex_;
  bool acknowledged_ QV_GUARDED_BY(mutex_) = false;
  TurnPtr turn_ QV_GUARDED_BY(mutex_);
};

Status Listens::open(const TurnPtr& turn, const ListenFilter& honoured) {
  const auto listen = std::make_shared<Listen>(turn, render_);
  auto subscription =
      hub_->subscribe(honoured.lists, [weak = std::weak_ptr(listen)](const Event& event) {
        const auto told = weak.lock();
        return told == nullptr ? Told::Yes : told->tell(event);
      });
  if (!subscription.ok()) return std::move(subscription).error();
  for (const auto& subjects : {honoured.uris, honoured.task_ids}) {
    for (const std::string& subject : subjects.value_or(std::vector<std::string>())) {
      QV_CHECK((*subscription)->watch(subject));
    }
  }
  listen->keep(*std::move(subscription));
  {
    const MutexLock lock(mutex_);
    const auto of_session = std::count_if(open_.begin(), open_.end(), [&](const auto& other) {
      return listen->session() != nullptr && other.second->session() == listen->session();
    });
    if (static_cast<std::size_t>(of_session) >= kOfSessionMax || open_.size() >= kMax) {
      return Error{ErrorCode::ResourceExhausted,
                   "too many subscriptions are open: at most " + std::to_string(kOfSessionMax) +
                       " for one client, " + std::to_string(kMax) + " for all"};
    }
    open_.emplace(listen.get(), listen);
  }
  if (!listen->acknowledge(honoured)) {
    if (take(listen.get()) == nullptr) return Done{};
    listen->undo();
    return Error{ErrorCode::Unavailable,
                 "this way carries replies alone: ask for text/event-stream, on a request of its "
                 "own"};
  }
  // Last: it may fire at once, and then ends what is there. It must not keep the request alive.
  turn->cancel.on_cancel([this, key = listen.get(), weak = std::weak_ptr(listen)] {
    const auto cancelled = weak.lock();
    if (cancelled != nullptr && take(key) != nullptr) cancelled->drop();
  });
  return Done{};
}

void Listens::end_session(const Session& session) {
  std::vector<ListenPtr> ended;
  {
    const MutexLock lock(mutex_);
    for (const auto& [key, listen] : open_) {
      if (listen->is_of(session)) ended.push_back(listen);
    }
  }
  end(ended);
}

void Listens::end_all() {
  std::vector<ListenPtr> ended;
  {
    const MutexLock lock(mutex_);
    for (const auto& [key, listen] : open_) ended.push_back(listen);
  }
  end(ended);
}

void Listens::end(const std::vector<ListenPtr>& ended) {
  for (const ListenPtr& listen : ended) {
    if (take(listen.get()) != nullptr) listen->close(close_);
  }
}

std::size_t Listens::size() const {
  const MutexLock lock(mutex_);
  return open_.size();
}

Listens::ListenPtr Listens::take(const Listen* listen) {
  const MutexLock lock(mutex_);
  auto node = open_.extract(listen);
  return node ? std::move(node.mapped()) : nullptr;
}

}  // namespace quiver::mcp
