#pragma once

#include <any>
#include <functional>
#include <optional>

#include "cluster/fan_out.h"
#include "cluster/replica.h"
#include "cluster/routing/copy_routes.h"
#include "cluster/view/view_source.h"

namespace quiver::cluster {

/// Calls to shards that have several copies: chooses the copy, goes on to the next where one cannot
/// do it, and waits while another server takes over.
///
/// Threads: any.
class ShardCaller {
 public:
  struct Ways {
    ViewSource& views;
    Copies& copies;
    FanOut& fan_out;
  };
  /// What is asked of a copy. Of a read several copies may be asked at the same time.
  using Work = std::function<Result<std::any>(Replica&, const CallContext&)>;
  struct Task {
    ShardId shard{0};
    /// Absent: a write, for the primary.
    std::optional<ReadLevel> level;
    /// A copy that takes long gets company.
    bool hedged = false;
    /// Tries until the call is out of time, and not just once more.
    bool patient = true;
    Work work;
  };

  /// `spec` and what `ways` names must outlive it.
  ShardCaller(const CollectionSpec& spec, const Ways& ways) : spec_(spec), ways_(ways) {}

  /// Tries until RouteOptions::patience if the call has no deadline. A write must have a request
  /// id: one whose outcome is not known is repeated under it.
  ///
  /// Errors: those of the work; NotFound if the collection was deleted; Unavailable if no copy
  /// could do it, and then nothing has happened: before the call's time is up if every server with
  /// all of the shard's writes has been down for RouteOptions::gone; DeadlineExceeded of a write
  /// that may have taken effect, saying so.
  Result<std::any> call(const CallContext& call, const Task& task) const;

 private:
  struct Trial;

  const CollectionView* find_in(const ClusterView& view) const;
  /// All copies that may do it, once.
  Result<std::any> try_copies(const CallContext& call, const ClusterView& view,
                              const CollectionView& collection, const Task& task) const;
  std::vector<CopyChoice> choices(const ClusterView& view, const ShardState& state,
                                  const Task& task) const;
  /// Waits for news of the shard, and not longer than a pause.
  void wait(const CallContext& call, const ClusterView& seen, ShardId shard, Trial& trial) const;
  /// Nothing: it is worth while to try again.
  std::optional<Error> gone(const ClusterView& view, ShardId shard, Trial& trial) const;
  Error final_error(const Task& task, const Trial& trial, Error error) const;

  const CollectionSpec& spec_;
  const Ways ways_;
};

}  // namespace quiver::cluster
