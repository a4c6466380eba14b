#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace quiver::bench {

/// A server as a child process that tells its URL on stderr. Throws runtime_error.
class HttpServer {
 public:
  /// Starts `binary serve` on `data` and any free port, and waits for its URL.
  HttpServer(const std::string& binary, const std::string& data);
  /// Ends it, and waits.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const { return port_; }
  /// A number of /proc/PID/status: "Threads", or "VmRSS" in KiB.
  double status(const std::string& field) const;

 private:
  pid_t pid_ = -1;
  int errors_ = -1;
  std::uint16_t port_ = 0;
};

/// A request as it is sent. `text` is its request line, its headers, and after an empty line its
/// body, with plain newlines; Host and Content-Length are added.
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
  /// Reads to the end of the headers, which it returns; throws unless the status is 200.
  std::string receive_head();
  /// Reads a whole reply, of a known length; its head.
  std::string receive();
  /// Whether the connection still stands; what has come meanwhile is dropped.
  bool stands();

 private:
  bool more();

  int fd_ = -1;
  std::string unread_;
};

}  // namespace quiver::bench
