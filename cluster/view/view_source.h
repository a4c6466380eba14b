#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

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
  /// Reads all of the store.
  ///
  /// Errors: those of CoordinationStore::list(); Corruption naming a value that cannot be
  /// understood.
  static Result<std::unique_ptr<ViewSource>> open(CoordinationStore& store,
                                                  const CallContext& call);
  ~ViewSource();
  ViewSource(const ViewSource&) = delete;
  ViewSource& operator=(const ViewSource&) = delete;

  /// Never null.
  std::shared_ptr<const ClusterView> current() const;

  /// Returns once current() holds all that was written up to `revision`.
  Status await(const CallContext& call, Revision revision);
  /// Reads the store again, so that current() holds what was written before the call.
  ///
  /// Errors: those of CoordinationStore::list(); then current() is as before.
  Status refresh(const CallContext& call);

  /// Calls `changed` behind every change, on a thread of the store, and once now. It must not
  /// block. A later call replaces an earlier; an empty function ends it, and no call of the earlier
  /// is under way on return.
  void on_change(std::function<void()> changed);

 private:
  explicit ViewSource(CoordinationStore& store) : store_(store) {}

  template <typename News>
  Status take(const News& news);

  CoordinationStore& store_;

  mutable std::mutex mutex_;
  std::condition_variable moved_;
  /// Guarded by mutex_, as is current_.
  ViewBuilder builder_;
  std::shared_ptr<const ClusterView> current_;

  std::mutex listener_mutex_;
  /// Guarded by listener_mutex_, which is held while it runs.
  std::function<void()> listener_;

  std::unique_ptr<Watch> watch_;
};

}  // namespace quiver::cluster
