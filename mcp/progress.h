#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "core/call_context.h"
#include "core/json.h"
#include "mcp/revision.h"

namespace quiver::mcp {

/// Sends a notification to the peer of a call, or drops it when the peer is not reading: must not
/// block.
using Notify = std::function<void(const std::string& message)>;

/// Turns the progress of one call into notifications/progress under `token`.
///
/// Each tells more than the one before it, as MCP demands, and they keep `interval` apart but for
/// the last step of a known total. None follows once `cancel` has fired.
///
/// Threads: the sink is called from one thread at a time.
ProgressSink progress_sink(Json token, const Revision& revision, std::chrono::milliseconds interval,
                           CancelToken cancel, Notify notify);

}  // namespace quiver::mcp
