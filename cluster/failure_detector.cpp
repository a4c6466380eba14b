#include "cluster/failure_detector.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// One lost answer may be anything; two in a row are not.
constexpr std::size_t kFailuresMin = 2;
// For one ping, also of a server that is about to be called down.
constexpr milliseconds kPingTimeMin{50};
constexpr milliseconds kPauseMin{10};

milliseconds since(steady_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - time);
}

}  // namespace

/// Guarded by the detector's mutex, but for what is constant.
struct FailureDetector::Watched {
  NodeId id;
  Time heard;
  std::size_t failures = 0;
  bool down = false;
  bool ended = false;
  std::string label;
  std::string state;
  std::string why;
  /// Whether a ping has ended.
  bool asked = false;
  /// Of its map, when it last answered.
  std::uint64_t epoch = 0;
  /// It answers, but not to this server.
  bool refuses = false;
  CancelToken under_way = CancelToken::make();
  std::thread thread;
};

FailureDetector::FailureDetector(Peers& peers, CallsUnderWay& calls, NodeId self,
                                 const Options& options, std::function<std::string()> own_state)
    : peers_(peers),
      calls_(calls),
      self_(std::move(self)),
      options_(options),
      own_state_(std::move(own_state)) {}

FailureDetector::~FailureDetector() {
  stop();
}

void FailureDetector::watch(const std::shared_ptr<const ClusterView>& view) {
  std::vector<std::unique_ptr<Watched>> gone;
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    view_ = view;
    for (auto at = watched_.begin(); at != watched_.end();) {
      const auto* const node = view->find_node(at->first);
      if (node != nullptr && node->record.state != NodeState::Removed) {
        ++at;
        continue;
      }
      at->second->ended = true;
      at->second->under_way.cancel();
      gone.push_back(std::move(at->second));
      at = watched_.erase(at);
    }
    for (const auto& [id, node] : view->nodes) {
      if (id == self_ || node.record.state == NodeState::Removed || watched_.contains(id)) continue;
      auto added = std::make_unique<Watched>();
      added->id = id;
      added->heard = steady_clock::now();
      added->label = node.record.label;
      auto& one = *watched_.emplace(id, std::move(added)).first->second;
      one.thread = std::thread([this, &one] { ping_always(one); });
    }
    changed_.notify_all();
  }
  for (const auto& one : gone) {
    one->thread.join();
    peers_.forget(one->id);
    calls_.up(one->id);
  }
}

void FailureDetector::stop() {
  std::map<NodeId, std::unique_ptr<Watched>> all;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    for (auto& [unused, one] : watched_) {
      one->ended = true;
      one->under_way.cancel();
    }
    changed_.notify_all();
    all.swap(watched_);
  }
  for (auto& [unused, one] : all) one->thread.join();
}

void FailureDetector::ping_always(Watched& watched) {
  while (true) {
    const Time next = ping_once(watched);
    const MutexLock lock(mutex_);
    while (!watched.ended && steady_clock::now() < next) changed_.wait_until(mutex_, next);
    if (watched.ended) return;
  }
}

FailureDetector::Time FailureDetector::ping_once(Watched& watched) {
  const Time began = steady_clock::now();
  const auto patience = std::max(options_.heartbeat, options_.down_after / 3);
  thrift::NodeCall call;
  std::shared_ptr<const ClusterView> view;
  bool was_down = false;
  {
    const MutexLock lock(mutex_);
    if (watched.ended) return began;
    was_down = watched.down;
    watched.under_way = CancelToken::make();
    call.context.cancel = watched.under_way;
    view = view_;
    // Not much beyond the time at which it is down, so that this is told when it is so.
    const Time end = std::max(watched.heard + options_.down_after, began + kPingTimeMin);
    call.context.deadline = watched.down ? began + patience : std::min(began + patience, end);
  }
  call.epoch = view->epoch;
  call.caller = self_.text;
  const auto echo = [&]() -> thrift::Reply<thrift::HeartbeatEcho> {
    QV_TRY(const auto client, peers_.client(*view, watched.id));
    return client->ping(call, {own_state_()});
  }();
  const Time next = judge(watched, echo, began, *call.context.deadline);
  tell(watched, was_down);
  return next;
}

void FailureDetector::tell(const Watched& watched, bool was_down) {
  std::string why;
  {
    const MutexLock lock(mutex_);
    if (watched.down == was_down) return;
    if (watched.down) {
      why = "it is down: nothing was heard of it for " +
            std::to_string(since(watched.heard).count()) + " ms (" + watched.why + ')';
    }
  }
  if (was_down) {
    calls_.up(watched.id);
  } else {
    calls_.down(watched.id, std::move(why));
  }
}

FailureDetector::Time FailureDetector::judge(Watched& watched,
                                             const thrift::Reply<thrift::HeartbeatEcho>& echo,
                                             Time began, Time until) {
  const Time now = steady_clock::now();
  const Time next = began + options_.heartbeat;
  const MutexLock lock(mutex_);
  if (watched.ended) return now;
  watched.asked = true;
  watched.refuses = !echo.ok() && echo.error().code == ErrorCode::PermissionDenied;
  if (echo.ok()) {
    watched.epoch = echo.info.epoch;
    if (watched.down) {
      QV_LOG_INFO("peer_up label={} id={} silent_ms={}", watched.label, watched.id.text,
                  since(watched.heard).count());
    }
    watched.heard = now;
    watched.failures = 0;
    watched.down = false;
    watched.state = echo->state;
    watched.why.clear();
    return next;
  }
  ++watched.failures;
  watched.why = echo.error().message;
  // A ping ends at its deadline; this one did not, so it was this process that did not run.
  if (now - until > options_.down_after / 2) watched.heard = now;
  if (watched.down) return next;
  const Time verdict = watched.heard + options_.down_after;
  if (now < verdict) return std::max(std::min(next, verdict), now + kPauseMin);
  if (watched.failures < kFailuresMin) return now + kPauseMin;
  watched.down = true;
  QV_LOG_WARN("peer_down label={} id={} silent_ms={} error=\"{}\"", watched.label, watched.id.text,
              since(watched.heard).count(), watched.why);
  return next;
}

std::optional<FailureDetector::Condition> FailureDetector::condition(const NodeId& node) const {
  const MutexLock lock(mutex_);
  const auto found = watched_.find(node);
  if (found == watched_.end()) return std::nullopt;
  const auto& one = *found->second;
  return Condition{one.down, since(one.heard), one.state, one.why};
}

Status FailureDetector::check_map(std::uint64_t epoch) const {
  const auto unavailable = [](const Watched& one, const std::string& what) {
    return Error{ErrorCode::Unavailable, "server " + one.label + what};
  };
  const MutexLock lock(mutex_);
  for (const auto& [unused, one] : watched_) {
    if (!one->asked) return unavailable(*one, " has not been asked for its map of the cluster yet");
    if (one->refuses) return unavailable(*one, " does not let this server in: " + one->why);
    if (one->epoch > epoch) {
      return unavailable(*one,
                         " has a newer map of the cluster (epoch " + std::to_string(one->epoch) +
                             ") than this server's disk (epoch " + std::to_string(epoch) + ')');
    }
  }
  return Done{};
}

bool FailureDetector::has_asked_all() const {
  const MutexLock lock(mutex_);
  return std::all_of(watched_.begin(), watched_.end(),
                     [](const auto& one) { return one.second->asked; });
}

Liveness FailureDetector::liveness(const ClusterView& view) const {
  Liveness out;
  const MutexLock lock(mutex_);
  for (const auto& [id, node] : view.nodes) {
    if (id == self_) continue;
    const auto found = watched_.find(id);
    const bool down = found == watched_.end() ? !node.alive : found->second->down;
    if (down) out.down.insert(id);
  }
  return out;
}

}  // namespace quiver::cluster
