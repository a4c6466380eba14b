#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/collections.h"
#include "cluster/coordination/store.h"
#include "cluster/fan_out.h"
#include "cluster/placement/layout.h"
#include "cluster/replica.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"

namespace quiver::cluster {

class ShardedCollection;

/// The collections that the coordination store names.
///
/// A collection is made in three steps: a record that it is being made, its empty copies on their
/// servers, and one transaction that makes it known. It is deleted in reverse: one transaction
/// turns its entry into a record that it is being deleted, which stays until each server has
/// removed its files. A crash in between leaves a record that tidy() acts on.
///
/// Threads: any.
class Catalogue final : public Collections {
 public:
  /// What it works with; all must outlive it, but not the collections that it gives out.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    Copies& copies;
    FanOut& fan_out;
    const Clock& clock;
    /// Which servers are out of reach now.
    std::function<Liveness(const ClusterView&)> liveness;
    /// Owns all of these: kept by a collection's calls, and once it is gone they are refused.
    std::weak_ptr<const void> home;
  };
  explicit Catalogue(Parts parts) : parts_(std::move(parts)) {}

  Result<std::shared_ptr<Collection>> find(std::string_view name) override;
  Result<Created> create(const CallContext& call, CollectionSpec spec) override;
  Result<std::optional<std::uint64_t>> drop(const CallContext& call,
                                            std::string_view name) override;
  Result<std::vector<CollectionSpec>> list() override;

  /// Removes the files of a collection, by its id, from this server.
  using RemoveFiles = std::function<Status(const std::string&)>;
  /// Does this server's part of deletions: removes its files of collections that are deleted, and
  /// their records where it was the last. What fails is logged and left to the next time.
  void tidy(const CallContext& call, const NodeId& self, const RemoveFiles& remove);
  /// Turns what a crash left of collections that `maker` was making into deletions.
  ///
  /// Errors: those of CoordinationStore.
  Status abandon_creations(const CallContext& call, const NodeId& maker);

 private:
  struct Making;

  std::shared_ptr<ShardedCollection> opened(std::shared_ptr<const CollectionView> collection);
  Result<Created> existing(const CollectionView& there, const CollectionSpec& wanted);
  Result<Created> make(const CallContext& call, CollectionSpec spec, const ClusterView& view);
  Status make_copies(const CallContext& call, const ClusterView& view, const Making& making);
  /// False: the name was taken meanwhile.
  Result<bool> make_known(const CallContext& call, const Making& making);
  void take_back(const CallContext& call, const Making& making);
  Result<bool> forget(const CallContext& call, const CollectionView& target,
                      const std::optional<std::uint64_t>& points);
  Status tidy_one(const CallContext& call, const NodeId& self, const std::string& id,
                  const RemoveFiles& remove);
  Error not_found(const ClusterView& view, std::string_view name) const;

  const Parts parts_;
};

}  // namespace quiver::cluster
