#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"

namespace quiver::mcp {

/// Gives a client something to hold that it cannot change: requestState of MCP 2026-07-28.
///
/// Sealed with HMAC-SHA256 under a key of this process, and bound to the request it was given for:
/// what comes back after a restart, too late, or with another request is not accepted.
///
/// Threads: any; unchanged after construction.
class RequestState {
 public:
  /// Borrows the clock.
  explicit RequestState(const Clock& clock, std::chrono::seconds life = std::chrono::minutes(10));

  /// `request` is what the state belongs to: method and params, without what a repetition changes.
  std::string seal(const Json& request, const Json& state) const;
  /// Nothing unless `text` is what seal() made for the same request, not longer than `life` ago.
  std::optional<Json> open(const Json& request, const std::string& text) const;

 private:
  std::string mac(const Json& request, const std::string& body) const;

  const Clock& clock_;
  const std::chrono::seconds life_;
  std::array<unsigned char, 32> key_{};
};

}  // namespace quiver::mcp
