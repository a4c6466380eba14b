#include "app/channel.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace quiver::app {
namespace {

/// Several of the largest messages: a peer that lets more pile up has stopped reading.
constexpr std::size_t kUnsentBytesMax = 4 * wire::kFrameBytesMax;
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
/// Reads in a row, so that one busy peer does not starve the others.
constexpr int kReadsAtOnce = 64;

Error gone(int problem) {
  return {ErrorCode::Unavailable, std::string("the connection broke: ") + std::strerror(problem)};
}

}  // namespace

Status Channel::write_out() {
  while (sent_ < unsent_.size()) {
    const auto count = ::send(socket_.get(), unsent_.data() + sent_, unsent_.size() - sent_,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Done{};
    } else if (errno != EINTR) {
      broken_ = true;
      return gone(errno);
    }
  }
  unsent_.clear();
  if (unsent_.capacity() > kReadBytes) unsent_.shrink_to_fit();
  sent_ = 0;
  return Done{};
}

Result<bool> Channel::send(std::string frame) {
  const MutexLock lock(mutex_);
  if (broken_) return gone(EPIPE);
  if (unsent_.size() - sent_ + frame.size() > kUnsentBytesMax) {
    broken_ = true;
    ::shutdown(socket_.get(), SHUT_RDWR);
    return Error{ErrorCode::ResourceExhausted, "the other process does not read its replies"};
  }
  if (unsent_.empty()) {
    unsent_ = std::move(frame);
  } else {
    unsent_.erase(0, sent_);
    sent_ = 0;
    unsent_ += frame;
  }
  QV_CHECK(write_out());
  return !unsent_.empty();
}

bool Channel::has_unsent() const {
  const MutexLock lock(mutex_);
  return !unsent_.empty();
}

Status Channel::flush() {
  const MutexLock lock(mutex_);
  return write_out();
}

Result<bool> Channel::receive() {
  std::array<char, kReadBytes> bytes;
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const auto count = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0) return false;
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      return gone(errno);
    }
    received_.append({bytes.data(), static_cast<std::size_t>(count)});
    if (static_cast<std::size_t>(count) < bytes.size()) return true;
  }
  return true;
}

Result<std::optional<wire::Message>> Channel::next(std::size_t frame_bytes_max) {
  using Next = std::optional<wire::Message>;
  QV_TRY(const auto body, received_.next(frame_bytes_max));
  if (!body) return Next(std::nullopt);
  QV_TRY(auto message, wire::decode(*body));
  return Next(std::move(message));
}

}  // namespace quiver::app
