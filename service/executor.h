#pragma once

#include <string_view>

#include "core/call_context.h"
#include "core/json.h"
#include "core/result.h"
#include "service/changes.h"

namespace quiver::service {

/// Carries out operations by name: here (LocalExecutor), or in the process that owns the data.
///
/// Threads: any.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Errors: those of the operation; NotFound for an unknown one.
  virtual Result<Json> invoke(const CallContext& call, std::string_view operation,
                              const Json& arguments) = 0;

  /// Calls `listener` after each operation that has changed something, whoever asked for it, for as
  /// long as what is returned lives. It should be brief and must not call the executor: it may run
  /// on the thread of the write. Implementations that know no changes never call it.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): those that call it keep it.
  virtual ChangeSubscription subscribe(ChangeListener /*listener*/) { return {}; }

  /// Somebody waits to be told: changes by others are listened for from now on, even if nothing is
  /// ever asked for here. Does not wait. What is missed until then counts as changed.
  virtual void follow() {}
};

}  // namespace quiver::service
