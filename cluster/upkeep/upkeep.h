#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/upkeep/copy_poll.h"
#include "cluster/upkeep/upkeep_planner.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Rounds of an UpkeepPlanner: asks the servers, decides, and carries out. A record is changed by
/// compare-and-swap, and only while it is the one that the change was decided on; what did not
/// succeed, or is not known to have, the next round decides anew.
///
/// Several servers may do this at once: it costs them conflicts, and nothing else.
///
/// Threads: rounds one at a time; unresolved() any.
class Upkeep {
 public:
  struct Options {
    UpkeepOptions planner;
    /// A server that does not answer in time has not answered.
    std::chrono::milliseconds patience{1'500};
  };
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    const Clock& clock;
    FanOut& fan_out;
    /// Which servers are out of reach now.
    std::function<Liveness(const ClusterView&)> liveness;
    ReachNode reach;
  };
  Upkeep(Parts parts, const Options& options);

  /// What people want, beside that all is well.
  struct Wishes {
    /// As UpkeepRound::moves and UpkeepRound::replaces.
    std::map<ShardName, Move> moves;
    bool replaces = true;
  };
  /// One round on the view as it is. What fails in one place keeps no other from its turn.
  ///
  /// Errors: the first; those of CoordinationStore and of the calls to servers.
  Status round(const CallContext& call, const Wishes& wishes);

  /// What the last round could do nothing about.
  std::vector<Unresolved> unresolved() const;
  /// What a copy's server said in the last round; nothing if it did not.
  std::optional<thrift::CopyPosition> position(const CopyId& copy) const;

 private:
  Status carry_out(const CallContext& call, const ClusterView& view, const ShardChange& change,
                   Revision& written);
  Status write(const CallContext& call, const ShardChange& change, Revision& written);
  Status ask(const CallContext& call, const ClusterView& view, const ShardChange& change);

  const Parts parts_;
  const Options options_;
  UpkeepPlanner planner_;
  mutable Mutex mutex_;
  std::vector<Unresolved> unresolved_ QV_GUARDED_BY(mutex_);
  CopyReports reports_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
