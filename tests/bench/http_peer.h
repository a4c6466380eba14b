#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "tests/bench/child.h"

namespace quiver::bench {

/// A server on a port of this machine as a child process. Throws runtime_error.
class HttpServer {
 public:
  /// Starts `binary serve` on `data` and any free port, and waits for its URL.
  HttpServer(const std::string& binary, const std::string& data);
  /// Starts what takes its port from the environment variable PORT, and waits until it listens.
  static HttpServer on_free_port(Launch launch);
  /// Ends it, and waits.
  ~HttpServer();
  HttpServer(HttpServer&& other) noexcept;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  HttpServer& operator=(HttpServer&&) = delete;

  std::uint16_t port() const { return port_; }
  /// A number of /proc/PID/status: "Threads", or "VmRSS" in KiB.
  double status(const std::string& field) const { return status_of(pid_, field); }
  pid_t pid() const noexcept { return pid_; }

 private:
  HttpServer(pid_t pid, std::uint16_t port) : pid_(pid), port_(port) {}

  pid_t pid_ = -1;
  int errors_ = -1;
  std::uint16_t port_ = 0;
};

/// A request as it is sent. `text` is its method and target, its headers, and after an empty line
/// its body, with plain newlines; version, Host and Content-Length are added.
std::string render_request(std::string_view text);

/// One connection to a port of this machine. Throws runtime_error.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(HttpClient&& other) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpClient& operator=(HttpClient&&) = delete;

  void send(std::string_view bytes);
  /// Reads to the end of the headers, which it returns; throws unless the status is 20x.
  std::string receive_head();
  /// Reads a whole reply; its head. The body stays until the next call.
  std::string receive();
  std::string_view body() const noexcept { return body_; }
  /// Whether the connection still stands; what has come meanwhile is dropped.
  bool stands();

 private:
  bool more();
  void read_bytes(std::size_t bytes);
  void read_chunks();

  int fd_ = -1;
  std::string unread_;
  std::string body_;
};

}  // namespace quiver::bench
