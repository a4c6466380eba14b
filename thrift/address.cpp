#include "thrift/address.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>

namespace quiver::thrift {
namespace {

using Addresses = std::vector<SocketAddress>;

/// How often one who waits looks whether the caller has gone away.
constexpr std::chrono::milliseconds kCancelPoll{20};

Result<Addresses> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int outcome = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (outcome != 0) {
    return Error{ErrorCode::Unavailable,
                 "no address of \"" + host + "\": " + ::gai_strerror(outcome)};
  }
  Addresses addresses;
  for (const auto* one = found; one != nullptr; one = one->ai_next) {
    addresses.emplace_back(one->ai_addr, one->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return addresses;
}

bool is_private_v4(std::uint32_t address) noexcept {
  const auto in = [address](std::uint32_t network, unsigned bits) {
    return (address >> (32 - bits)) == (network >> (32 - bits));
  };
  return in(0x7f000000, 8) || in(0x0a000000, 8) || in(0xac100000, 12) || in(0xc0a80000, 16) ||
         in(0xa9fe0000, 16) || in(0x64400000, 10);
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* data, socklen_t size)
    : size_(std::min<socklen_t>(size, sizeof(storage_))) {
  std::memcpy(&storage_, data, size_);
}

Result<SocketAddress> SocketAddress::numeric(const std::string& host, std::uint16_t port) {
  const auto addresses = look_up(host, port, AI_NUMERICHOST);
  if (addresses.ok()) return addresses->front();
  return Error{ErrorCode::InvalidArgument,
               "a numeric address such as 127.0.0.1 or ::1, got \"" + host + "\""};
}

Result<SocketAddress> SocketAddress::of_listener(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return Error{ErrorCode::Unavailable,
                 "the listener has no address: " + std::system_category().message(errno)};
  }
  return SocketAddress(reinterpret_cast<const sockaddr*>(&storage), size);
}

std::uint16_t SocketAddress::port() const noexcept {
  if (storage_.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
}

std::string SocketAddress::display() const {
  std::array<char, NI_MAXHOST> host{};
  if (::getnameinfo(data(), size_, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "unknown";
  }
  const std::string name(host.data());
  const auto shown = storage_.ss_family == AF_INET6 ? '[' + name + ']' : name;
  return shown + ':' + std::to_string(port());
}

bool SocketAddress::is_private() const noexcept {
  if (storage_.ss_family == AF_INET) {
    return is_private_v4(ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr));
  }
  if (storage_.ss_family != AF_INET6) return false;
  const auto& address = reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
  const auto* bytes = address.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    std::uint32_t mapped = 0;
    std::memcpy(&mapped, bytes + 12, sizeof(mapped));
    return is_private_v4(ntohl(mapped));
  }
  // fc00::/7 and fe80::/10.
  return IN6_IS_ADDR_LOOPBACK(&address) || (bytes[0] & 0xfeU) == 0xfcU ||
         (bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80U);
}

struct Resolver::Lookup {
  Mutex mutex;
  CondVar changed;
  std::optional<Result<Addresses>> outcome QV_GUARDED_BY(mutex);
};

Resolver::Resolver(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

std::shared_ptr<Resolver::Lookup> Resolver::running() const {
  const MutexLock lock(mutex_);
  if (lookup_) return lookup_;
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host = host_, port = port_] {
    auto outcome = look_up(host, port, AI_ADDRCONFIG);
    const MutexLock done(lookup->mutex);
    lookup->outcome = std::move(outcome);
    lookup->changed.notify_all();
  }).detach();
  lookup_ = lookup;
  return lookup;
}

Result<std::vector<SocketAddress>> Resolver::resolve(std::chrono::steady_clock::time_point until,
                                                     const CancelToken& cancel) const {
  auto numeric = look_up(host_, port_, AI_NUMERICHOST);
  if (numeric.ok()) return numeric;
  const auto late = [&] { return std::chrono::steady_clock::now() >= until || cancel.cancelled(); };
  const Error out_of_time{ErrorCode::DeadlineExceeded,
                          "out of time while looking up \"" + host_ + "\""};
  if (late()) return out_of_time;
  std::shared_ptr<Lookup> lookup;
  try {
    lookup = running();
  } catch (const std::system_error&) {
    return Error{ErrorCode::ResourceExhausted, "no thread to look up \"" + host_ + "\" with"};
  }
  std::optional<Result<Addresses>> outcome;
  {
    const MutexLock lock(lookup->mutex);
    while (!lookup->outcome) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= until || cancel.cancelled()) {
        return Error{ErrorCode::DeadlineExceeded, "out of time while looking up \"" + host_ + "\""};
      }
      lookup->changed.wait_until(lookup->mutex, std::min(until, now + kCancelPoll));
    }
    outcome = lookup->outcome;
  }
  // The next caller asks anew: addresses of hosts change.
  const MutexLock lock(mutex_);
  if (lookup_ == lookup) lookup_.reset();
  return *std::move(outcome);
}

}  // namespace quiver::thrift
