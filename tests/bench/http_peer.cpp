#include "tests/bench/http_peer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

/// The port in the first URL of this machine that `errors` tells.
std::uint16_t read_port(int errors) {
  constexpr std::string_view kStart = "http://127.0.0.1:";
  std::string text;
  for (;;) {
    const auto at = text.find(kStart);
    const auto end = at == std::string::npos ? at : text.find('/', at + kStart.size());
    if (end != std::string::npos) {
      return static_cast<std::uint16_t>(std::stoul(text.substr(at + kStart.size())));
    }
    std::array<char, 1024> part{};
    const auto got = ::read(errors, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::runtime_error("the server told no URL, but: " + text);
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int new_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(fd >= 0, "socket");
  return fd;
}

/// One that nobody listens at, just now.
std::uint16_t free_port() {
  const int fd = new_socket();
  sockaddr_in address = local(0);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  must(bound, "a free port");
  return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
  const int fd = new_socket();
  const sockaddr_in address = local(port);
  const bool taken =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return taken;
}

}  // namespace

HttpServer::HttpServer(const std::string& binary, const std::string& data) {
  std::array<int, 2> errors{};
  must(::pipe2(errors.data(), O_CLOEXEC) == 0, "pipe");
  errors_ = errors[0];
  pid_ = spawn({{binary, "serve", "--port", "0"}, settings_of(data)}, {-1, -1, errors[1]});
  ::close(errors[1]);
  port_ = read_port(errors_);
}

HttpServer HttpServer::on_free_port(Launch launch) {
  constexpr double kPatienceSeconds = 30;
  const std::uint16_t port = free_port();
  launch.settings.push_back("PORT=" + std::to_string(port));
  HttpServer server(spawn(launch, {}), port);
  const double start = now_s();
  while (!listens(port)) {
    if (now_s() - start > kPatienceSeconds) throw std::runtime_error("nobody listens at the port");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return server;
}

HttpServer::HttpServer(HttpServer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      port_(other.port_) {}

HttpServer::~HttpServer() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    wait_for(pid_);
  }
  if (errors_ >= 0) ::close(errors_);
}

std::string render_request(std::string_view text) {
  const auto split = text.find("\n\n");
  const std::string_view head = text.substr(0, split);
  const std::string_view body = split == text.npos ? std::string_view() : text.substr(split + 2);
  const auto line = std::min(head.find('\n'), head.size());
  std::string out = std::string(head.substr(0, line)) + " HTTP/1.1\r\nHost: 127.0.0.1";
  for (const char c : head.substr(line)) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  out += "\r\n";
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out.append("\r\n").append(body);
}

HttpClient::HttpClient(std::uint16_t port) : fd_(new_socket()) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = local(port);
  must(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
}

HttpClient::~HttpClient() {
  if (fd_ >= 0) ::close(fd_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      unread_(std::move(other.unread_)),
      body_(std::move(other.body_)) {}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    must(sent > 0, "send to the server");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool HttpClient::more() {
  std::array<char, 16384> part;
  const auto got = ::recv(fd_, part.data(), part.size(), 0);
  if (got > 0) unread_.append(part.data(), static_cast<std::size_t>(got));
  return got > 0;
}

std::string HttpClient::receive_head() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) throw std::runtime_error("the server ended a connection");
  }
  std::string head = unread_.substr(0, end + 4);
  unread_.erase(0, end + 4);
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (head.rfind("http/1.1 20", 0) != 0) throw std::runtime_error("the server said " + head);
  return head;
}

void HttpClient::read_bytes(std::size_t bytes) {
  while (unread_.size() < bytes) {
    if (!more()) throw std::runtime_error("the server ended a connection");
  }
}

/// RFC 9112 7.1, of a server that sends no trailers.
void HttpClient::read_chunks() {
  for (;;) {
    std::size_t end = 0;
    while ((end = unread_.find("\r\n")) == std::string::npos) read_bytes(unread_.size() + 1);
    const std::size_t bytes = std::stoul(unread_, nullptr, 16);
    read_bytes(end + 2 + bytes + 2);
    body_.append(unread_, end + 2, bytes);
    unread_.erase(0, end + 2 + bytes + 2);
    if (bytes == 0) return;
  }
}

std::string HttpClient::receive() {
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  std::string head = receive_head();
  body_.clear();
  if (head.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos) {
    read_chunks();
    return head;
  }
  const auto at = head.find(kLength);
  if (at == std::string::npos && head.rfind("http/1.1 202 ", 0) == 0) return head;
  if (at == std::string::npos) throw std::runtime_error("no whole reply: " + head);
  const std::size_t bytes = std::stoul(head.substr(at + kLength.size()));
  read_bytes(bytes);
  body_.assign(unread_, 0, bytes);
  unread_.erase(0, bytes);
  return head;
}

bool HttpClient::stands() {
  std::array<char, 4096> part;
  for (;;) {
    const auto got = ::recv(fd_, part.data(), part.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

}  // namespace quiver::bench
