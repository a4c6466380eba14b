#pragma once

#include <chrono>

#include "core/call_context.h"

namespace quiver::cluster {

/// Waits for `time`, or until the call is cancelled or out of time, whichever is first; at once if
/// it is already. Woken, never polling.
///
/// Errors: those of CallContext::check().
Status pause(const CallContext& call, std::chrono::milliseconds time);

}  // namespace quiver::cluster
