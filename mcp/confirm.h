#pragma once

#include <chrono>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "core/mutex.h"
#include "mcp/tool.h"
#include "service/executor.h"
#include "service/operation.h"

namespace quiver::mcp {

/// The arguments to go on with; a question to the client's user; or why the call ends here.
using Confirmed = std::variant<Json, InputRequired, Error>;

/// The questions that were answered, with whatever answer: a state that a client repeats, by
/// mistake or to cheat, asks anew.
///
/// Threads: any.
class Spent {
 public:
  /// False if it was spent before.
  bool spend(const std::string& question) QV_EXCLUDES(mutex_);

 private:
  /// Longer than a question can be answered.
  static constexpr std::chrono::hours kKept{24};
  static constexpr std::size_t kMost = 100'000;

  Mutex mutex_;
  std::set<std::string> known_ QV_GUARDED_BY(mutex_);
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::string>> order_
      QV_GUARDED_BY(mutex_);
};

/// Whether the user is asked before calls that destroy: some of this operation do, and the client
/// can ask. Else the operation judges the arguments by itself.
bool is_confirmed(const service::Operation& operation, const Call& call);

/// Asks the user, if this call destroys anything.
///
/// An answer counts once, and a yes holds for what the question named: if more would go by then, or
/// another collection has the name, the user is asked again.
Confirmed confirm(const service::Operation& operation, service::Executor& executor,
                  const Call& call, Spent& spent);

}  // namespace quiver::mcp
