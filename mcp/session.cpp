#include "mcp/session.h"

#include <utility>
#include <vector>

namespace quiver::mcp {
namespace {

Error no_answer() {
  // Not a matter of time: a repetition would fail in the same way.
  return {ErrorCode::FailedPrecondition,
          "the client cannot be asked: it has gone, does not read, or takes no messages before the "
          "reply; by HTTP its Accept has to allow text/event-stream"};
}

Result<Json> result_of(const Response& response) {
  if (!response.error.is_null()) {
    return Error{ErrorCode::FailedPrecondition,
                 "the client answered with an error: " + display(to_text(response.error))};
  }
  return response.result;
}

}  // namespace

void Session::agree(const Revision& revision, Json capabilities) {
  revision_.store(&revision, std::memory_order_release);
  const MutexLock lock(mutex_);
  capabilities_ = std::move(capabilities);
}

Json Session::capabilities() const {
  const MutexLock lock(mutex_);
  return capabilities_;
}

std::optional<LogLevel> Session::log_level() const {
  const int level = log_level_.load(std::memory_order_relaxed);
  if (level < 0) return std::nullopt;
  return static_cast<LogLevel>(level);
}

void Session::set_log_level(LogLevel level) {
  log_level_.store(static_cast<int>(level), std::memory_order_relaxed);
}

std::optional<CancelToken> Session::begin(const Json& id) {
  CancelToken token = CancelToken::make();
  const MutexLock lock(mutex_);
  if (!in_flight_.emplace(to_text(id), InFlight{token}).second) return std::nullopt;
  return token;
}

bool Session::finish(const Json& id) {
  const MutexLock lock(mutex_);
  const auto found = in_flight_.find(to_text(id));
  if (found == in_flight_.end()) return false;
  const bool wanted = !found->second.is_cancelled;
  in_flight_.erase(found);
  return wanted;
}

void Session::cancel(const Json& id) {
  CancelToken token;
  std::function<void()> cancelled;
  {
    const MutexLock lock(mutex_);
    const auto found = in_flight_.find(to_text(id));
    if (found == in_flight_.end()) return;
    token = found->second.cancel;
    found->second.is_cancelled = true;
    cancelled = std::exchange(found->second.cancelled, nullptr);
  }
  token.cancel();
  if (cancelled) cancelled();
}

void Session::on_cancel(const Json& id, std::function<void()> cancelled) {
  {
    const MutexLock lock(mutex_);
    const auto found = in_flight_.find(to_text(id));
    if (found == in_flight_.end()) return;
    if (!found->second.is_cancelled) {
      found->second.cancelled = std::move(cancelled);
      return;
    }
  }
  cancelled();
}

void Session::cancel_all() {
  give_up_all();
}

std::vector<Json> Session::give_up_all() {
  std::vector<Json> ids;
  std::vector<CancelToken> tokens;
  std::vector<std::function<void()>> all;
  {
    const MutexLock lock(mutex_);
    for (auto& [id, request] : in_flight_) {
      tokens.push_back(request.cancel);
      if (!std::exchange(request.is_cancelled, true)) ids.push_back(Json::parse(id));
      if (request.cancelled) all.push_back(std::exchange(request.cancelled, nullptr));
    }
  }
  for (const CancelToken& token : tokens) token.cancel();
  for (const auto& cancelled : all) cancelled();
  return ids;
}

std::string Session::ask(const std::string& method, const Json& params,
                         const std::function<bool(const std::string&)>& send, Answered answered) {
  std::string id;
  {
    const MutexLock lock(mutex_);
    id = "quiver-" + std::to_string(++asks_);
    if (!ended_) asked_[id] = std::exchange(answered, nullptr);
  }
  if (answered) {
    answered(no_answer());
    return id;
  }
  const Json message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
  if (!send(to_text(message))) {
    Answered unsent;
    {
      const MutexLock lock(mutex_);
      if (auto node = asked_.extract(id)) unsent = std::move(node.mapped());
    }
    if (unsent) unsent(no_answer());
  }
  return id;
}

void Session::forget(const std::string& ask_id) {
  const MutexLock lock(mutex_);
  asked_.erase(ask_id);
}

std::size_t Session::asked() const {
  const MutexLock lock(mutex_);
  return asked_.size();
}

void Session::resolve(const Response& response) {
  if (!response.id.is_string()) return;
  Answered answered;
  {
    const MutexLock lock(mutex_);
    auto node = asked_.extract(response.id.get_ref<const std::string&>());
    if (!node) return;
    answered = std::move(node.mapped());
  }
  answered(result_of(response));
}

void Session::set_push(Push push) {
  const MutexLock lock(push_mutex_);
  push_ = std::move(push);
}

Told Session::push(const std::string& message) {
  const MutexLock lock(push_mutex_);
  return push_ ? push_(message) : Told::Nowhere;
}

std::shared_ptr<Subscription> Session::subscription() const {
  const MutexLock lock(mutex_);
  return subscription_;
}

void Session::subscribe(std::shared_ptr<Subscription> subscription) {
  const MutexLock lock(mutex_);
  subscription_ = std::move(subscription);
}

void Session::end() {
  set_push(nullptr);
  std::map<std::string, Answered> asked;
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    asked.swap(asked_);
  }
  for (auto& [id, answered] : asked) answered(no_answer());
}

}  // namespace quiver::mcp
