#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "cluster/replication/replication_time.h"
#include "core/mutex.h"

namespace quiver::cluster::replication {

/// One thread that tells all copies of a server that time has passed.
///
/// Threads: any.
class Ticker {
 public:
  /// Whoever is told. Must not block.
  class Ticked {
   public:
    virtual ~Ticked() = default;
    virtual void tick() = 0;
  };

  explicit Ticker(Duration every);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  /// From now on, until it is gone.
  void add(std::weak_ptr<Ticked> ticked);

 private:
  void run();
  /// Those that still exist.
  std::vector<std::shared_ptr<Ticked>> alive();

  const Duration every_;
  Mutex mutex_;
  CondVar closing_;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<Ticked>> ticked_ QV_GUARDED_BY(mutex_);
  /// Last: it uses all above.
  std::thread thread_;
};

}  // namespace quiver::cluster::replication
