#pragma once

#include <functional>
#include <thread>

#include "app/wake.h"

namespace quiver::app {

/// Turns SIGTERM, SIGINT and SIGHUP into one call of a function, on a thread of its own. A second
/// signal ends the process at once, as it would have without this.
///
/// Make it before any other thread: they inherit that these signals are blocked. SIGPIPE is ignored
/// from then on.
class StopSignals {
 public:
  explicit StopSignals(std::function<void(int signal)> on_stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void run();

  const std::function<void(int)> on_stop_;
  const Wake wake_;
  const Fd signals_;
  std::thread thread_;
};

}  // namespace quiver::app
