#include "thrift/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <thrift/transport/TTransportException.h>
#include <unistd.h>

namespace quiver::thrift {
namespace {

using apache::thrift::transport::TTransportException;

/// How often a wait looks whether its caller has gone away.
constexpr std::chrono::milliseconds kCancelPoll{20};
/// What poll() can be asked for.
constexpr std::chrono::milliseconds kLongestPoll = std::chrono::hours(1);

/// A peer whose machine is gone is noticed after about a minute and a half, even between calls.
constexpr int kKeepAliveIdleSeconds = 45;
constexpr int kKeepAliveEverySeconds = 15;
constexpr int kKeepAliveProbes = 3;

std::string reason(int number) {
  return std::system_category().message(number);
}

void set_option(int fd, int level, int option, int value) {
  // What the system does not know is done without.
  static_cast<void>(::setsockopt(fd, level, option, &value, sizeof(value)));
}

[[noreturn]] void gone(const std::string& peer, const std::string& why) {
  throw TTransportException(TTransportException::NOT_OPEN, peer + " has gone: " + why);
}

}  // namespace

Stream::Stream(int fd, std::string peer) : fd_(fd), peer_(std::move(peer)) {
  static_cast<void>(::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK));
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd_, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveEverySeconds);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

Stream::~Stream() {
  SSL_free(tls_);
  ::close(fd_);
}

Result<std::shared_ptr<Stream>> Stream::connect(const SocketAddress& address, TimePoint until,
                                                const CancelToken& cancel) {
  const auto failed = [&](int number) {
    return Error{ErrorCode::Unavailable,
                 "cannot reach " + address.display() + ": " + reason(number)};
  };
  const int fd = ::socket(address.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(errno);
  auto stream = std::make_shared<Stream>(fd, address.display());
  if (::connect(fd, address.data(), address.size()) == 0) return stream;
  if (errno != EINPROGRESS) return failed(errno);
  stream->limit(until, cancel);
  if (stream->wait(POLLOUT) != Wait::Ready) {
    return Error{ErrorCode::DeadlineExceeded, "out of time while reaching " + address.display()};
  }
  int problem = 0;
  socklen_t size = sizeof(problem);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) problem = errno;
  if (problem != 0) return failed(problem);
  return stream;
}

void Stream::limit(TimePoint until) {
  until_ = until;
  cancel_.reset();
}

void Stream::limit(TimePoint until, const CancelToken& cancel) {
  until_ = until;
  cancel_ = cancel;
}

Stream::Wait Stream::wait(short events) const {
  const auto step = cancel_ ? kCancelPoll : kLongestPoll;
  while (true) {
    if (cancel_ && cancel_->cancelled()) return Wait::Cancelled;
    const auto left = until_ - std::chrono::steady_clock::now();
    if (left.count() <= 0) return Wait::TimedOut;
    const auto time = std::min(std::chrono::ceil<std::chrono::milliseconds>(left), step);
    pollfd watched{fd_, events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(time.count()));
    if (ready > 0) return Wait::Ready;
    if (ready < 0 && errno != EINTR) gone(peer_, reason(errno));
  }
}

void Stream::wait_or_throw(short events) const {
  switch (wait(events)) {
    case Wait::Ready: return;
    case Wait::Cancelled:
      throw TTransportException(TTransportException::INTERRUPTED, "the caller cancelled");
    case Wait::TimedOut:
      throw TTransportException(TTransportException::TIMED_OUT,
                                "out of time while waiting for " + peer_);
  }
}

Status Stream::start_tls(const TlsContext& context, Role role) {
  ERR_clear_error();
  tls_ = context.new_side();
  if (tls_ == nullptr || SSL_set_fd(tls_, fd_) != 1) {
    return Error{ErrorCode::ResourceExhausted, "no TLS with " + peer_ + ": " + tls_problem()};
  }
  while (true) {
    ERR_clear_error();
    const int outcome = role == Role::Client ? SSL_connect(tls_) : SSL_accept(tls_);
    if (outcome == 1) return Done{};
    const int error = SSL_get_error(tls_, outcome);
    if (error == SSL_ERROR_SSL) {
      return Error{ErrorCode::PermissionDenied, "no TLS with " + peer_ + ": " + tls_problem()};
    }
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return Error{ErrorCode::Unavailable, peer_ + " went away during the TLS handshake"};
    }
    if (wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT) != Wait::Ready) {
      return Error{ErrorCode::DeadlineExceeded, "out of time in the TLS handshake with " + peer_};
    }
  }
}

bool Stream::peer_is(std::string_view id) const {
  return tls_ != nullptr && thrift::peer_is(tls_, id);
}

bool Stream::wait_readable() {
  if (tls_ != nullptr && SSL_pending(tls_) > 0) return true;
  return wait(POLLIN) == Wait::Ready;
}

bool Stream::is_quiet() const {
  pollfd watched{fd_, POLLIN | POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 0 && (tls_ == nullptr || SSL_pending(tls_) == 0);
}

void Stream::shut(int how) const noexcept {
  static_cast<void>(::shutdown(fd_, how));
}

std::uint32_t Stream::read(std::uint8_t* bytes, std::uint32_t size) {
  return tls_ != nullptr ? read_tls(bytes, size) : read_plain(bytes, size);
}

std::uint32_t Stream::read_plain(std::uint8_t* bytes, std::uint32_t size) {
  while (true) {
    // A peer that always has something to say must not make a reader forget the time.
    const auto got = ::recv(fd_, bytes, size, MSG_DONTWAIT);
    if (got >= 0) {
      if (std::chrono::steady_clock::now() >= until_) wait_or_throw(POLLIN);
      return static_cast<std::uint32_t>(got);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) gone(peer_, reason(errno));
    wait_or_throw(POLLIN);
  }
}

std::uint32_t Stream::read_tls(std::uint8_t* bytes, std::uint32_t size) {
  while (true) {
    ERR_clear_error();
    const int got = SSL_read(tls_, bytes, static_cast<int>(size));
    if (got > 0) {
      if (std::chrono::steady_clock::now() >= until_) wait_or_throw(POLLIN);
      return static_cast<std::uint32_t>(got);
    }
    switch (SSL_get_error(tls_, got)) {
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_WANT_READ: wait_or_throw(POLLIN); break;
      case SSL_ERROR_WANT_WRITE: wait_or_throw(POLLOUT); break;
      case SSL_ERROR_SSL: gone(peer_, tls_problem());
      default: gone(peer_, "the connection broke");
    }
  }
}

void Stream::write(const std::uint8_t* bytes, std::uint32_t size) {
  std::uint32_t done = 0;
  while (done < size) {
    done += write_some(bytes + done, size - done);
    if (done < size && std::chrono::steady_clock::now() >= until_) wait_or_throw(POLLOUT);
  }
}

std::uint32_t Stream::write_some(const std::uint8_t* bytes, std::uint32_t size) {
  while (true) {
    if (tls_ == nullptr) {
      const auto sent = ::send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) return static_cast<std::uint32_t>(sent);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) gone(peer_, reason(errno));
      wait_or_throw(POLLOUT);
      continue;
    }
    ERR_clear_error();
    const int sent = SSL_write(tls_, bytes, static_cast<int>(size));
    if (sent > 0) return static_cast<std::uint32_t>(sent);
    switch (SSL_get_error(tls_, sent)) {
      case SSL_ERROR_WANT_READ: wait_or_throw(POLLIN); break;
      case SSL_ERROR_WANT_WRITE: wait_or_throw(POLLOUT); break;
      case SSL_ERROR_SSL: gone(peer_, tls_problem());
      default: gone(peer_, "the connection broke");
    }
  }
}

}  // namespace quiver::thrift
