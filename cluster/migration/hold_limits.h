#pragma once

#include <chrono>

/// How long a move may keep the writes of a shard waiting.
namespace quiver::cluster {

/// Ends every hold. A call waits a minute for its write by default: two of them are what clients
/// that try once more outlast, and at 100 MB a second they are enough for shards of some gigabytes.
inline constexpr std::chrono::milliseconds kHoldTotalMax{120'000};
/// Ends a hold of which no further byte was fetched: a peer that is gone or stuck costs no more.
inline constexpr std::chrono::milliseconds kHoldIdleMax{15'000};
/// What the server that fetches counts on: it gives up before the other one ends the hold, and can
/// say why.
inline constexpr std::chrono::milliseconds kTransferMax{110'000};

}  // namespace quiver::cluster
