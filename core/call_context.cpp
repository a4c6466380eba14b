#include "core/call_context.h"

#include <utility>

namespace quiver {

void CancelToken::cancel() const noexcept {
  state_->fired.store(true, std::memory_order_relaxed);
  std::map<std::uint64_t, std::function<void()>> then;
  {
    const MutexLock lock(state_->mutex);
    then.swap(state_->then);
  }
  for (const auto& [unused, call] : then) call();
}

void CancelToken::on_cancel(std::function<void()> then) const {
  static_cast<void>(add(std::move(then)));
}

CancelWatch CancelToken::watch(std::function<void()> then) const {
  const auto key = add(std::move(then));
  return key ? CancelWatch(state_, *key) : CancelWatch();
}

std::optional<std::uint64_t> CancelToken::add(std::function<void()> then) const {
  if (!state_) return std::nullopt;
  {
    const MutexLock lock(state_->mutex);
    if (!cancelled()) {
      const auto key = ++state_->last_key;
      state_->then.emplace(key, std::move(then));
      return key;
    }
  }
  then();
  return std::nullopt;
}

std::size_t CancelToken::watchers() const {
  if (!state_) return 0;
  const MutexLock lock(state_->mutex);
  return state_->then.size();
}

CancelWatch& CancelWatch::operator=(CancelWatch&& other) noexcept {
  if (this != &other) {
    end();
    state_ = std::move(other.state_);
    key_ = other.key_;
  }
  return *this;
}

void CancelWatch::end() noexcept {
  if (!state_) return;
  std::function<void()> ended;
  {
    const MutexLock lock(state_->mutex);
    if (const auto found = state_->then.find(key_); found != state_->then.end()) {
      ended.swap(found->second);
      state_->then.erase(found);
    }
  }
  // What it holds goes without the lock.
  state_.reset();
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
