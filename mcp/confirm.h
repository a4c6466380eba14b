#pragma once

#include <variant>

#include "mcp/tool.h"
#include "service/executor.h"
#include "service/operation.h"

namespace quiver::mcp {

/// The arguments to go on with; a question to the client's user; or why the call ends here.
using Confirmed = std::variant<Json, InputRequired, Error>;

/// Whether the user is asked before calls that destroy: some of this operation do, and the client
/// can ask. Else the operation judges the arguments by itself.
bool is_confirmed(const service::Operation& operation, const Call& call);

/// Asks the user, if this call destroys anything.
///
/// A yes holds for what the question named: if more would go by then, the user is asked again.
Confirmed confirm(const service::Operation& operation, service::Executor& executor,
                  const Call& call);

}  // namespace quiver::mcp
