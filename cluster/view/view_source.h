#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "cluster/coordination/store.h"
#include "cluster/view/cluster_view.h"
#include "cluster/view/view_builder.h"

namespace quiver::cluster {

/// This server's view of the cluster, kept up to date by a watch of the coordination store. Without
/// the store it goes on with what it knows.
///
/// Threads: any. `store` must outlive it.
class ViewSource {
 public:
  /// Reads all of the store. Errors: as attach().
  static Result<std::unique_ptr<ViewSource>> open(CoordinationStore& store,
                                                  const CallContext& call);
  /// Knows what `kept` says, a map() of an earlier process, and asks nobody before attach().
  ///
  /// Errors: Corruption naming a value that cannot be understood.
  static Result<std::unique_ptr<ViewSource>> detached(CoordinationStore& store,
                                                      const Listing& kept);
  ~ViewSource();
  ViewSource(const ViewSource&) = delete;
  ViewSource& operator=(const ViewSource&) = delete;

  /// Reads all of the store, whatever was known before, and follows it from here on. Of one that
  /// does, refresh(). One call at a time.
  ///
  /// Errors: those of CoordinationStore::list(); Corruption naming a value that cannot be
  /// understood; then it goes on as before.
  Status attach(const CallContext& call);
  bool is_attached() const;

  /// Never null.
  std::shared_ptr<const ClusterView> current() const;
  /// What makes the map of current(), and its epoch.
  struct Map {
    Listing listing;
    std::uint64_t epoch = 0;
  };
  Map map() const;
  /// As ViewBuilder::shard_record().
  std::optional<SeenShard> shard_record(std::string_view collection_id, ShardId shard,
                                        Revision after) const;

  /// Returns once current() holds all that was written up to `revision`.
  Status await(const CallContext& call, Revision revision);
  /// Waits until `holds` is true of current(), or the call is out of time or cancelled: whether it
  /// is. `holds` is asked under a lock: it must not ask for this again.
  bool await(const CallContext& call, const std::function<bool(const ClusterView&)>& holds);
  /// Reads the store again, so that current() holds what was written before the call.
  ///
  /// Errors: those of CoordinationStore::list(), Unavailable before attach(); then current() is as
  /// before.
  Status refresh(const CallContext& call);

  /// Calls `changed` behind every change, on a thread of the store, and once now. It must not
  /// block. A later call replaces an earlier; an empty function ends it, and no call of the earlier
  /// is under way on return.
  void on_change(std::function<void()> changed);

 private:
  explicit ViewSource(CoordinationStore& store)
      : store_(store), current_(std::make_shared<const ClusterView>()) {}

  template <typename News>
  Status take(const News& news);
  void tell();

  CoordinationStore& store_;

  mutable std::mutex mutex_;
  std::condition_variable moved_;
  /// Guarded by mutex_, as are current_ and attached_.
  ViewBuilder builder_;
  std::shared_ptr<const ClusterView> current_;
  bool attached_ = false;

  std::mutex listener_mutex_;
  /// Guarded by listener_mutex_, which is held while it runs.
  std::function<void()> listener_;

  std::unique_ptr<Watch> watch_;
};

}  // namespace quiver::cluster
