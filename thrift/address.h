#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "core/call_context.h"
#include "core/mutex.h"
#include "core/result.h"

namespace quiver::thrift {

/// An IPv4 or IPv6 address with a port.
class SocketAddress {
 public:
  /// Errors: InvalidArgument unless `host` is a numeric address.
  static Result<SocketAddress> numeric(const std::string& host, std::uint16_t port);
  /// Errors: Unavailable unless `fd` is a bound IP socket.
  static Result<SocketAddress> of_listener(int fd);
  SocketAddress(const sockaddr* data, socklen_t size);

  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const noexcept { return size_; }
  std::uint16_t port() const noexcept;
  /// "127.0.0.1:80", "[::1]:80".
  std::string display() const;
  /// Loopback, or one that networks do not route between each other. All addresses at once are not.
  bool is_private() const noexcept;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

/// Finds the addresses of one host.
///
/// The system's look-up cannot be interrupted, and may take longer than a call has: it runs on a
/// thread of its own, one at a time, which those who wait for it may leave behind.
///
/// Threads: any.
class Resolver {
 public:
  Resolver(std::string host, std::uint16_t port);

  /// At least one.
  ///
  /// Errors: Unavailable if there is none; DeadlineExceeded at `until` or when cancelled.
  Result<std::vector<SocketAddress>> resolve(std::chrono::steady_clock::time_point until,
                                             const CancelToken& cancel) const;

 private:
  struct Lookup;

  std::shared_ptr<Lookup> running() const;

  const std::string host_;
  const std::uint16_t port_;
  mutable Mutex mutex_;
  mutable std::shared_ptr<Lookup> lookup_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::thrift
