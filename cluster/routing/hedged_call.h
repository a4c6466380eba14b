#pragma once

#include <any>
#include <functional>

#include "cluster/fan_out.h"
#include "cluster/routing/alarms.h"
#include "core/call_context.h"
#include "core/result.h"

namespace quiver::cluster {

/// Asks one copy: until its context says that nobody waits any more.
using AskCopy = std::function<Result<std::any>(const CallContext&)>;

struct Hedged {
  Result<std::any> answer;
  /// Else only the first was.
  bool second_asked = false;
};

/// Asks `first` in the calling thread. If it has not answered after `delay`, `second` is asked
/// beside it, if a thread of `fan_out` is free; the first good answer cancels the other call, and
/// this returns when both have returned. The answer of a call that failed: that of `second`, if it
/// was asked.
///
/// Threads: any, but no part of `fan_out` waits for it.
Hedged ask_hedged(const CallContext& call, const AskCopy& first, const AskCopy& second,
                  std::chrono::steady_clock::duration delay, Alarms& alarms, FanOut& fan_out);

}  // namespace quiver::cluster
