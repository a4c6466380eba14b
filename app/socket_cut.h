#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "app/fd.h"
#include "core/mutex.h"

namespace quiver::app {

/// Ends what happens on a socket, from another thread and without a race against its owner: it has
/// a descriptor of its own for the same connection.
///
/// Threads: any.
class SocketCut {
 public:
  /// Looks at a new socket of its owner from now on. The socket is cut at once if cut() was called.
  void follow(int socket);
  /// Both directions end; reads and connects under way return.
  void cut();
  bool was_cut() const;

 private:
  mutable Mutex mutex_;
  Fd socket_ QV_GUARDED_BY(mutex_);
  bool cut_ QV_GUARDED_BY(mutex_) = false;
};

/// Cuts sockets at their deadlines, on a thread that the first one starts.
///
/// Threads: any.
class CutTimer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  CutTimer() = default;
  ~CutTimer();
  CutTimer(const CutTimer&) = delete;
  CutTimer& operator=(const CutTimer&) = delete;

  void add(Time when, std::shared_ptr<SocketCut> cut);
  /// Does nothing if it has cut already.
  void remove(Time when, const std::shared_ptr<SocketCut>& cut);

 private:
  void run();

  Mutex mutex_;
  CondVar changed_;
  std::multimap<Time, std::shared_ptr<SocketCut>> waiting_ QV_GUARDED_BY(mutex_);
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
