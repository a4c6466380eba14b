#include "tests/bench/http_peer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quiver::bench {
namespace {

void must(bool done, const std::string& what) {
  if (!done) throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// The environment without anybody's Quiver settings but where the model is.
std::vector<std::string> environment_for(const std::string& data) {
  std::vector<std::string> out{"QV_DATA_DIR=" + data, "QV_LOG_LEVEL=warn"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.rfind("QV_", 0) != 0 || text.rfind("QV_EMBEDDING_", 0) == 0) out.emplace_back(text);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

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

}  // namespace

HttpServer::HttpServer(const std::string& binary, const std::string& data) {
  std::array<int, 2> errors{};
  must(::pipe2(errors.data(), O_CLOEXEC) == 0, "pipe");
  errors_ = errors[0];
  posix_spawn_file_actions_t actions;
  must(::posix_spawn_file_actions_init(&actions) == 0, "spawn");
  ::posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
  std::vector<std::string> arguments{binary, "serve", "--port", "0"};
  auto environment = environment_for(data);
  const int problem = ::posix_spawn(&pid_, binary.c_str(), &actions, nullptr,
                                    pointers(arguments).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(errors[1]);
  if (problem != 0) throw std::runtime_error(binary + ": " + std::strerror(problem));
  port_ = read_port(errors_);
}

HttpServer::~HttpServer() {
  ::kill(pid_, SIGTERM);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  ::close(errors_);
}

double HttpServer::status(const std::string& field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1));
  }
  throw std::runtime_error("no " + field + " of the server");
}

std::string render_request(std::string_view text) {
  const auto split = text.find("\n\n");
  const std::string_view head = text.substr(0, split);
  const std::string_view body = split == text.npos ? std::string_view() : text.substr(split + 2);
  std::string out;
  for (const char c : head) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  out += "\r\nHost: 127.0.0.1\r\n";
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out.append("\r\n").append(body);
}

HttpClient::HttpClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  must(fd_ >= 0, "socket");
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
}

HttpClient::~HttpClient() {
  if (fd_ >= 0) ::close(fd_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), unread_(std::move(other.unread_)) {}

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
  if (head.rfind("http/1.1 200 ", 0) != 0) throw std::runtime_error("the server said " + head);
  return head;
}

std::string HttpClient::receive() {
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  std::string head = receive_head();
  const auto at = head.find(kLength);
  if (at == std::string::npos) throw std::runtime_error("no whole reply: " + head);
  const std::size_t bytes = std::stoul(head.substr(at + kLength.size()));
  while (unread_.size() < bytes) {
    if (!more()) throw std::runtime_error("the server ended a connection");
  }
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
