#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace quiver {

/// What all requests under way may take together.
///
/// Threads: any.
class InFlight {
 public:
  explicit InFlight(std::size_t bytes_max) : max_(bytes_max) {}

  /// A share, given back when it is let go of, even after this has gone. Null if there is not that
  /// much.
  std::shared_ptr<void> take(std::size_t bytes) {
    const auto used = used_;
    if (used->fetch_add(bytes) + bytes > max_) {
      *used -= bytes;
      return nullptr;
    }
    return {used.get(), [used, bytes](void*) { *used -= bytes; }};
  }

 private:
  const std::size_t max_;
  const std::shared_ptr<std::atomic<std::size_t>> used_ =
      std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace quiver
