#include "thrift/refusal_log.h"

#include "core/log.h"

namespace quiver::thrift {
namespace {

constexpr std::chrono::seconds kWindow{10};
constexpr std::uint64_t kLinesInWindow = 5;

}  // namespace

void RefusalLog::refused(const std::string& peer, const std::string& why) {
  std::uint64_t left_out = 0;
  {
    const auto now = std::chrono::steady_clock::now();
    const MutexLock lock(mutex_);
    ++count_;
    if (now >= window_end_) {
      if (in_window_ > kLinesInWindow) left_out = in_window_ - kLinesInWindow;
      in_window_ = 0;
      window_end_ = now + kWindow;
    }
    if (++in_window_ > kLinesInWindow) return;
  }
  QV_LOG_WARN("peer_refused peer={} why=\"{}\" left_out_before={}", peer, why, left_out);
}

std::uint64_t RefusalLog::count() const {
  const MutexLock lock(mutex_);
  return count_;
}

}  // namespace quiver::thrift
