#include "mcp/stdio_transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quiver::mcp {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

Error broken(const char* what) {
  return {ErrorCode::Unavailable, std::string(what) + ": " + std::strerror(errno)};
}

bool is_socket(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// One write that does not wait when poll() has said that there is room. A blocking pipe takes
/// PIPE_BUF bytes then, and might wait for the rest.
ssize_t write_some(int fd, bool socket, std::string_view bytes) {
  if (socket) return ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

}  // namespace

Result<std::unique_ptr<StdioTransport>> StdioTransport::open(int in, int out,
                                                             const Options& options) {
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  if (wake < 0) {
    Error error = broken("eventfd");
    ::close(in);
    if (out != in) ::close(out);
    return error;
  }
  return std::unique_ptr<StdioTransport>(new StdioTransport(in, out, wake, options));
}

StdioTransport::StdioTransport(int in, int out, int wake, const Options& options)
    : in_(in), out_(out), wake_(wake), out_is_socket_(is_socket(out)), options_(options) {}

StdioTransport::~StdioTransport() {
  ::close(in_);
  if (out_ != in_) ::close(out_);
  ::close(wake_);
}

Result<std::optional<std::string>> StdioTransport::read() {
  for (;;) {
    if (auto line = next_line()) {
      if (!line->ok()) return std::move(*line).error();
      if (is_blank(**line)) continue;
      return std::optional(std::move(**line));
    }
    if (ended_) return std::optional<std::string>();
    QV_CHECK(fill());
  }
}

std::optional<Result<std::string>> StdioTransport::next_line() {
  const std::string_view unread(chunk_.data() + chunk_begin_, chunk_end_ - chunk_begin_);
  const auto newline = unread.find('\n');
  keep(unread.substr(0, newline));
  if (newline == std::string_view::npos) {
    chunk_begin_ = chunk_end_;
    // The last line may lack its newline.
    if (!ended_ || line_bytes_ == 0) return std::nullopt;
  } else {
    chunk_begin_ += newline + 1;
  }
  return take_line();
}

void StdioTransport::keep(std::string_view part) {
  line_bytes_ += part.size();
  if (line_bytes_ > options_.message_bytes_max) {
    std::string().swap(line_);
  } else {
    line_.append(part);
  }
}

Result<std::string> StdioTransport::take_line() {
  const std::size_t bytes = std::exchange(line_bytes_, 0);
  if (bytes > options_.message_bytes_max) {
    return Error{ErrorCode::ResourceExhausted,
                 "message too large: " + std::to_string(bytes) + " bytes, " +
                     std::to_string(options_.message_bytes_max) + " bytes max"};
  }
  std::string line = std::exchange(line_, {});
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Status StdioTransport::fill() {
  chunk_.resize(kChunkBytes);
  for (;;) {
    std::array<pollfd, 2> ready{{{in_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return broken("poll");
    }
    if (ready[1].revents != 0) {
      // What is half read is not a message.
      ended_ = true;
      line_bytes_ = 0;
      line_.clear();
      return Done{};
    }
    const ssize_t got = ::read(in_, chunk_.data(), chunk_.size());
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return broken("read");
    }
    ended_ = got == 0;
    chunk_begin_ = 0;
    chunk_end_ = static_cast<std::size_t>(got);
    return Done{};
  }
}

Status StdioTransport::write(std::string_view message) {
  // One string: a small message is then one system call, and whole in the pipe.
  std::string line;
  line.reserve(message.size() + 1);
  line.append(message).push_back('\n');
  const MutexLock lock(write_mutex_);
  if (broken_) return Error{ErrorCode::Unavailable, "the peer is gone"};
  Status sent = send(line);
  broken_ = !sent.ok();
  return sent;
}

bool StdioTransport::offer(std::string_view message) {
  if (message.size() >= PIPE_BUF) return false;
  std::string line(message);
  line.push_back('\n');
  const MutexLock lock(write_mutex_);
  if (broken_ || !writable_now()) return false;
  broken_ = !send(line).ok();
  return !broken_;
}

void StdioTransport::finish() noexcept {
  const std::uint64_t one = 1;
  // Can only fail when the counter is full: then it is readable already.
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

Status StdioTransport::send(std::string_view bytes) {
  while (!bytes.empty()) {
    QV_CHECK(wait_writable());
    const ssize_t sent = write_some(out_, out_is_socket_, bytes);
    if (sent < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return broken("write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return Done{};
}

Status StdioTransport::wait_writable() {
  std::array<pollfd, 2> ready{{{out_, POLLOUT, 0}, {wake_, POLLIN, 0}}};
  for (;;) {
    if (::poll(ready.data(), ready.size(), -1) >= 0) break;
    if (errno != EINTR) return broken("poll");
  }
  if (ready[0].revents != 0) return Done{};
  // Finished: the peer has a last chance to read.
  const auto until = std::chrono::steady_clock::now() + options_.grace;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const int outcome =
        ::poll(ready.data(), 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (outcome > 0) return Done{};
    if (outcome == 0) return Error{ErrorCode::Unavailable, "the peer does not read"};
    if (errno != EINTR) return broken("poll");
  }
}

bool StdioTransport::writable_now() const {
  pollfd ready{out_, POLLOUT, 0};
  return ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
}

}  // namespace quiver::mcp
