#include "core/call_context.h"

#include <utility>

namespace quiver {

void CancelToken::cancel() const noexcept {
  state_->fired.store(true, std::memory_order_relaxed);
  std::vector<std::function<void()>> then;
  {
    const MutexLock lock(state_->mutex);
    then.swap(state_->then);
  }
  for (const auto& call : then) call();
}

void CancelToken::on_cancel(std::function<void()> then) const {
  if (!state_) return;
  {
    const MutexLock lock(state_->mutex);
    if (!cancelled()) {
      state_->then.push_back(std::move(then));
      return;
    }
  }
  then();
}

Status CallContext::check() const {
  if (cancel.cancelled()) return Error{ErrorCode::DeadlineExceeded, "the caller cancelled"};
  if (deadline && std::chrono::steady_clock::now() > *deadline) {
    return Error{ErrorCode::DeadlineExceeded,
                 "out of time before the call was done: what it had not begun was left undone; "
                 "send less at a time, or allow more time"};
  }
  return Done{};
}

}  // namespace quiver
