#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/// HTTP by hand.
namespace quiver::app::test {

/// Long enough for any machine; a test that waits this long has failed.
inline constexpr std::chrono::seconds kPatience{20};

/// What came back, taken apart by hand.
struct Received {
  int status = 0;
  std::string head;
  std::string body;

  std::string header(const std::string& name) const {
    std::string lower = head;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto at = lower.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// A client that sends bytes and reads replies.
class Socket {
 public:
  /// `receive_bytes`: of the system's buffer for what is not read; 0: as it likes.
  explicit Socket(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  /// A descriptor that is connected already; taken.
  struct Connected {
    int fd;
  };
  explicit Socket(Connected other) : fd_(other.fd), connected_(true) {}
  ~Socket() { close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// The next reply; status 0 if there is none.
  Received receive(bool to_head = false) {
    Received reply;
    while (unread_.find("\r\n\r\n") == std::string::npos) {
      if (!more()) return reply;
    }
    const auto end = unread_.find("\r\n\r\n") + 4;
    reply.head = unread_.substr(0, end);
    unread_.erase(0, end);
    reply.status = std::atoi(reply.head.substr(9, 3).c_str());
    const std::string length = reply.header("content-length");
    const std::size_t bytes = length.empty() || to_head ? 0 : std::stoul(length);
    while (unread_.size() < bytes) {
      if (!more()) break;
    }
    reply.body = unread_.substr(0, bytes);
    unread_.erase(0, bytes);
    return reply;
  }
  void finish_sending() const { ::shutdown(fd_, SHUT_WR); }
  /// The next chunk of a body in chunks; empty at its end, or if there is none.
  std::string receive_chunk() {
    while (unread_.find("\r\n") == std::string::npos) {
      if (!more()) return {};
    }
    const std::size_t bytes = std::stoul(unread_, nullptr, 16);
    const std::size_t begin = unread_.find("\r\n") + 2;
    while (unread_.size() < begin + bytes + 2) {
      if (!more()) return {};
    }
    std::string chunk = unread_.substr(begin, bytes);
    CHECK(unread_.substr(begin + bytes, 2) == "\r\n");
    unread_.erase(0, begin + bytes + 2);
    return chunk;
  }
  /// Reads until the connection ends.
  void drain() {
    while (more()) {
    }
  }
  /// All until the connection ends.
  std::string rest() {
    drain();
    return std::move(unread_);
  }
  /// Whether the connection ended other than in good order.
  bool was_reset() const { return reset_; }
  /// Whether there is something to read, an end included, within that time.
  bool readable(std::chrono::milliseconds time) const {
    pollfd ready{fd_, POLLIN, 0};
    return ::poll(&ready, 1, static_cast<int>(time.count())) != 0;
  }
  /// Whether the server ends the connection, with nothing more to say.
  bool ended() { return unread_.empty() && !more() && unread_.empty(); }

 private:
  /// False at the end, or after patience.
  bool more() {
    pollfd ready{fd_, POLLIN, 0};
    const int outcome =
        ::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
    CHECK(outcome == 1);
    std::vector<char> part(65536);
    const ssize_t got = outcome == 1 ? ::recv(fd_, part.data(), part.size(), 0) : 0;
    reset_ = got < 0;
    if (got <= 0) return false;
    unread_.append(part.data(), static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  bool connected_ = false;
  bool reset_ = false;
  std::string unread_;
};

}  // namespace quiver::app::test
