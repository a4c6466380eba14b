#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace quiver::mcp {

/// Carries whole messages, as text, to and from one peer.
///
/// Threads: read() from one; the others from any.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Waits for the next message. Nothing once the peer has closed or finish() was called.
  ///
  /// Errors: ResourceExhausted for a message over limits::kMessageBytesMax, which is skipped:
  /// reading may go on; Unavailable when the channel broke.
  virtual Result<std::optional<std::string>> read() = 0;

  /// Sends a message, waiting for the peer to take it. Errors: Unavailable when the peer is gone,
  /// or, after finish(), does not read; then every later write fails too.
  virtual Status write(std::string_view message) = 0;

  /// Sends a message if that needs no waiting, else drops it. Whether it was sent.
  virtual bool offer(std::string_view message) = 0;

  /// Ends reading, and bounds the time that writing may still take. May be called from a signal
  /// handler.
  virtual void finish() noexcept = 0;
};

}  // namespace quiver::mcp
