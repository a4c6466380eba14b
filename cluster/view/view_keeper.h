#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cluster/view/view_source.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Keeps the map of the cluster on this server's disk as it changes, file VIEW.
///
/// Threads: any. One of its own between start() and stop().
class ViewKeeper {
 public:
  /// What goes into the file beside the map.
  struct Owner {
    std::filesystem::path data_dir;
    std::string cluster_id;
    NodeId node;
    std::vector<std::string> coordination;
  };
  /// `views` must outlive it, and be attached before start().
  ViewKeeper(ViewSource& views, Owner owner) : views_(views), owner_(std::move(owner)) {}
  /// stop().
  ~ViewKeeper();
  ViewKeeper(const ViewKeeper&) = delete;
  ViewKeeper& operator=(const ViewKeeper&) = delete;

  /// Of one that has begun, nothing.
  void start();
  void stop();
  /// The map may have changed. Does not block.
  void changed();
  /// On return the map of now is on the disk; or none is, and a start without the store waits.
  ///
  /// Errors: those of ViewFile::remove(): an outdated map may be on the disk.
  Status keep_now();
  /// ClusterView::epoch of what is on the disk since start(); 0: nothing.
  std::uint64_t kept_epoch() const;

 private:
  void work();
  Status write() QV_REQUIRES(file_mutex_);

  ViewSource& views_;
  const Owner owner_;

  /// Held while the file is written, so that a newer one is not replaced by an older. Before
  /// mutex_.
  Mutex file_mutex_;

  mutable Mutex mutex_;
  CondVar wake_;
  bool changed_ QV_GUARDED_BY(mutex_) = true;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  std::uint64_t kept_epoch_ QV_GUARDED_BY(mutex_) = 0;
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
