#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "core/call_context.h"
#include "core/json.h"
#include "core/mutex.h"
#include "mcp/revision.h"

namespace quiver::mcp {

/// What a connection remembers between messages: the revision its handshake agreed on, and the
/// requests that can still be cancelled. Modern requests depend on neither but to be cancelled.
///
/// Threads: any.
class Session {
 public:
  /// Of legacy messages; assumed_revision() before a handshake.
  const Revision& revision() const noexcept { return *revision_.load(std::memory_order_acquire); }
  void agree(const Revision& revision) noexcept {
    revision_.store(&revision, std::memory_order_release);
  }

  /// Takes a request into flight. Nothing if one of that id is in flight.
  std::optional<CancelToken> begin(const Json& id);
  /// Ends what begin() began. Whether its reply is still wanted.
  bool finish(const Json& id);
  /// Fires the token of a request in flight; others are nothing to us: it may just have finished.
  void cancel(const Json& id);
  void cancel_all();

 private:
  std::atomic<const Revision*> revision_{&assumed_revision()};
  Mutex mutex_;
  /// By the id's JSON text: 7 and "7" are different ids.
  std::map<std::string, CancelToken> in_flight_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::mcp
