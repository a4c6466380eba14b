#pragma once

#include <cstdint>

#include <sys/eventfd.h>

#include "app/fd.h"

namespace quiver::app {

/// Wakes a thread that sleeps in poll().
///
/// Threads: any.
class Wake {
 public:
  Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  int fd() const noexcept { return fd_.get(); }
  void signal() const noexcept {
    const std::uint64_t one = 1;
    // Can only fail when the counter is full: then the thread is awake already.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
  }
  void clear() const noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(fd_.get(), &count, sizeof count);
  }

 private:
  Fd fd_;
};

}  // namespace quiver::app
