#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cluster/calls_under_way.h"
#include "cluster/peers.h"
#include "cluster/placement/layout.h"
#include "cluster/view/cluster_view.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Which servers can be reached from this one: pings each of them all the time. Needs nothing but
/// the network, and so works without the coordination store.
///
/// A server is down when nothing was heard of it for Options::down_after, and up again at its next
/// answer. One that was never heard of is given that time, too. If this process itself was stopped
/// for a while, that counts against nobody.
///
/// Threads: any. One of its own for each server.
class FailureDetector {
 public:
  struct Options {
    std::chrono::milliseconds heartbeat{500};
    /// At least two heartbeats.
    std::chrono::milliseconds down_after{3'000};
  };
  /// `peers` and `calls` must outlive it. `calls` learns who is down. `own_state`: what the pings
  /// tell of this server; any thread.
  FailureDetector(Peers& peers, CallsUnderWay& calls, NodeId self, const Options& options,
                  std::function<std::string()> own_state);
  /// stop().
  ~FailureDetector();
  FailureDetector(const FailureDetector&) = delete;
  FailureDetector& operator=(const FailureDetector&) = delete;

  /// From now on the servers of `view` are watched, but for this one and those that were removed.
  void watch(const std::shared_ptr<const ClusterView>& view);
  void stop();

  struct Condition {
    bool down = false;
    /// Since its last answer, or since it is watched.
    std::chrono::milliseconds silent{0};
    /// What it last said of itself; empty: never heard.
    std::string state;
    /// Why the last ping failed; empty: it did not.
    std::string why;
  };
  /// Nothing for a server that is not watched.
  std::optional<Condition> condition(const NodeId& node) const;
  /// Whether the servers that are watched, as far as they answer, have nothing against a map of
  /// this epoch: needed where the coordination store cannot be asked.
  ///
  /// Errors: Unavailable if one has not been asked yet, has a newer map, or does not let this
  /// server in.
  Status check_map(std::uint64_t epoch) const;
  /// Whether each of them has been asked at least once, and has answered or failed to.
  bool has_asked_all() const;
  /// For placement. Of a server that is not watched yet, the sign of life in `view` tells.
  Liveness liveness(const ClusterView& view) const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Watched;

  void ping_always(Watched& watched);
  /// When to ping next.
  Time ping_once(Watched& watched);
  /// Tells `calls_` what has changed by a ping.
  void tell(const Watched& watched, bool was_down);
  Time judge(Watched& watched, const thrift::Reply<thrift::HeartbeatEcho>& echo, Time began,
             Time until);

  Peers& peers_;
  CallsUnderWay& calls_;
  const NodeId self_;
  const Options options_;
  const std::function<std::string()> own_state_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<const ClusterView> view_ QV_GUARDED_BY(mutex_);
  std::map<NodeId, std::unique_ptr<Watched>> watched_ QV_GUARDED_BY(mutex_);
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::cluster
