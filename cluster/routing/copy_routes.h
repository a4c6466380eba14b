#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/routing/alarms.h"
#include "cluster/routing/recent_times.h"
#include "cluster/routing/session_tokens.h"
#include "cluster/view/cluster_view.h"
#include "core/mutex.h"
#include "core/read_level.h"

namespace quiver::cluster {

/// How long to wait for copies of shards that have several.
struct RouteOptions {
  /// A copy that has not answered a search after RecentTimes::high(), and not before this, gets
  /// company: another one is asked beside it.
  std::chrono::milliseconds hedge_min{50};
  /// Between attempts where no copy could do it; doubled with each.
  std::chrono::milliseconds pause{100};
  std::chrono::milliseconds pause_max{500};
  /// Of a call without a deadline.
  std::chrono::milliseconds patience{20'000};
  /// For so long behind a write its own reads begin with the primary, which has it already.
  std::chrono::milliseconds fresh{1'000};
  /// A call is given up when for so long the servers of all copies in sync have been down: nothing
  /// that happens by itself brings the shard back then, but one of them.
  std::chrono::milliseconds gone{5'000};
};

/// A copy to ask, and for what.
struct CopyChoice {
  CopyId copy;
  NodeId node;
  ReadTerms terms;
};

/// What this server has learned by calling the copies of shards, and what follows for the next
/// call.
///
/// Threads: any.
class CopyRoutes {
 public:
  explicit CopyRoutes(NodeId self, const RouteOptions& options = {})
      : self_(std::move(self)), options_(options) {}

  /// The copies that may answer, the one to ask first in front.
  ///
  /// Linearizable: the primary. Else those that are in sync: a copy on this server, then others on
  /// servers that are up, those with fewest calls under way first, then all others. `fresh` puts
  /// the primary in front of these. Session ends with the primary as Linearizable asks for it: it
  /// knows what became of a token that no copy reaches.
  std::vector<CopyChoice> order(const ClusterView& view, const ShardState& state,
                                const ReadTerms& terms, bool fresh);

  /// The servers of the copies that hold every acknowledged write, if all of these are down: by
  /// their labels, for people. Else empty.
  std::string holders_down(const ClusterView& view, const ShardState& state) const;

  /// Counts a call to a server as under way until it is destroyed.
  class Busy {
   public:
    Busy(CopyRoutes& routes, NodeId node);
    ~Busy();
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    CopyRoutes& routes_;
    const NodeId node_;
  };
  std::size_t under_way(const NodeId& node) const;

  /// How long a search waits for one copy alone.
  std::chrono::steady_clock::duration hedge_after() const;

  const RouteOptions& options() const noexcept { return options_; }
  SessionTokens& tokens() noexcept { return tokens_; }
  RecentTimes& search_times() noexcept { return search_times_; }
  Alarms& alarms() noexcept { return alarms_; }

 private:
  const NodeId self_;
  const RouteOptions options_;
  SessionTokens tokens_;
  RecentTimes search_times_;
  mutable Mutex mutex_;
  std::map<NodeId, std::size_t> under_way_ QV_GUARDED_BY(mutex_);
  /// Where equals begin: each call at the next of them.
  std::size_t turn_ QV_GUARDED_BY(mutex_) = 0;
  Alarms alarms_;
};

}  // namespace quiver::cluster
