#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/thrift/builders.h"
#include "tests/thrift/memory_handler.h"
#include "thrift/connection.h"
#include "thrift/node_client.h"
#include "thrift/server.h"

namespace quiver::testing {

using namespace std::chrono_literals;

inline const std::string kToken = "a token of the cluster, long enough";

inline thrift::LocalNode local(const std::string& id, const std::string& cluster = "blue") {
  return {cluster, {id, 7, "0.1.0"}};
}

inline thrift::Security with_token(const std::string& token = kToken) {
  thrift::SecurityOptions options;
  options.token = token;
  return thrift::Security::make(options).value();
}

/// Waits until `condition` holds; false after ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A server on a free port of this machine with a shard in memory, and clients for it.
struct World {
  explicit World(thrift::ServerOptions server_options = {},
                 thrift::Security server_security = with_token())
      : server(thrift::NodeServer::start(
                   local("server"), std::move(server_security), server_options, handler,
                   [this](const thrift::NodeIdentity& node) -> Status {
                     ++greetings;
                     if (node.id == "removed") {
                       return Error{ErrorCode::PermissionDenied, "the node was removed"};
                     }
                     return Done{};
                   })
                   .value()) {}

  std::unique_ptr<thrift::NodeClient> client(thrift::ClientOptions options = {},
                                             const std::string& id = "client",
                                             thrift::Security security = with_token()) {
    return client_of(server->port(), std::move(options), id, std::move(security));
  }
  static std::unique_ptr<thrift::NodeClient> client_of(std::uint16_t port,
                                                       thrift::ClientOptions options = {},
                                                       const std::string& id = "client",
                                                       thrift::Security security = with_token()) {
    auto dialer = std::make_shared<const thrift::Dialer>(
        local(id), thrift::PeerAddress{"127.0.0.1", port, "server"}, std::move(security),
        options.connect_time);
    return std::make_unique<thrift::NodeClient>(std::move(dialer), options);
  }

  MemoryHandler handler;
  std::atomic<int> greetings{0};
  std::unique_ptr<thrift::NodeServer> server;
};

template <typename Call = thrift::ShardCall>
Call within(std::chrono::milliseconds time, Call call = shard_call()) {
  call.context.deadline = std::chrono::steady_clock::now() + time;
  return call;
}

/// A socket without any protocol: a stranger, or a peer that misbehaves.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {}
  static RawSocket to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return RawSocket(fd);
  }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool send(const std::string& bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// All that arrives until the peer closes the connection; nothing if it does not in 10 seconds.
  std::optional<std::string> read_to_end() const {
    std::string all;
    char some[4096];
    while (true) {
      pollfd watched{fd_, POLLIN, 0};
      if (::poll(&watched, 1, 10'000) <= 0) return std::nullopt;
      const auto got = ::recv(fd_, some, sizeof(some), 0);
      if (got <= 0) return all;
      all.append(some, static_cast<std::size_t>(got));
    }
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Listens, and does with each connection what a test wants, on a thread of its own.
class RawServer {
 public:
  using Behaviour = std::function<void(RawSocket&, const std::atomic<bool>& stop)>;

  explicit RawServer(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no listener");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~RawServer() {
    stop_ = true;
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }

 private:
  void accept_all() {
    while (!stop_) {
      pollfd watched{listener_, POLLIN, 0};
      if (::poll(&watched, 1, 20) <= 0) continue;
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      ++accepted_;
      threads_.emplace_back([this, fd] {
        RawSocket socket(fd);
        behaviour_(socket, stop_);
      });
    }
  }

  const Behaviour behaviour_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> accepted_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace quiver::testing
