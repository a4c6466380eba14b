#pragma once

#include <string_view>

#include "core/call_context.h"
#include "core/json.h"
#include "core/result.h"

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
};

}  // namespace quiver::service
