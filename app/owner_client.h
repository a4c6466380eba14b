#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/call_context.h"
#include "core/json.h"
#include "core/result.h"
#include "service/changes.h"

namespace quiver::app {

struct OwnerClientOptions {
  /// How long the owner may take to greet.
  std::chrono::milliseconds hello{5000};
  /// After so long without a word from the owner it is asked whether it lives,
  std::chrono::milliseconds ping_after{2000};
  /// and after so long its calls are given up.
  std::chrono::milliseconds silence{15'000};
};

/// What a connection tells of itself, on its own thread: must not block. Null: not told.
struct OwnerClientEvents {
  /// A call of any process has changed something.
  service::ChangeListener changed = nullptr;
  /// It carries no more calls: the owner went away.
  std::function<void()> lost = nullptr;
};

/// A connection to the process that owns a data directory; carries many calls at once.
///
/// Threads: any.
class OwnerClient {
 public:
  /// Errors: Unavailable if nobody listens or the owner closes: look for the next owner;
  /// DeadlineExceeded if it does not greet; FailedPrecondition if it is another version;
  /// PermissionDenied if it is another user's.
  static Result<std::unique_ptr<OwnerClient>> connect(const std::string& path,
                                                      std::chrono::steady_clock::time_point until,
                                                      const OwnerClientOptions& options,
                                                      OwnerClientEvents events);
  ~OwnerClient();
  OwnerClient(const OwnerClient&) = delete;
  OwnerClient& operator=(const OwnerClient&) = delete;

  /// nullopt: the owner went away or is closing; whether the call took effect is unknown, so it is
  /// to be repeated, with the same call.request_id, at the next owner.
  ///
  /// Errors: those of the operation; DeadlineExceeded when out of time, cancelled, or when the
  /// owner has stopped answering.
  std::optional<Result<Json>> invoke(const CallContext& call, std::string_view operation,
                                     const Json& arguments);

  /// Whether it can carry no more calls.
  bool is_lost() const;
  pid_t owner_pid() const;

 private:
  class State;
  explicit OwnerClient(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace quiver::app
