#pragma once

#include <algorithm>
#include <chrono>

#include "core/call_context.h"

namespace quiver::cluster::replication {

/// Until when a caller is to wait before CallContext::check() is asked again: nothing wakes whoever
/// waits when the other end goes away.
inline std::chrono::steady_clock::time_point poll_until(const CallContext& call) {
  constexpr std::chrono::milliseconds kCancelPoll{20};
  const auto poll = std::chrono::steady_clock::now() + kCancelPoll;
  return call.deadline ? std::min(poll, *call.deadline) : poll;
}

}  // namespace quiver::cluster::replication
