#pragma once

#include <cstddef>
#include <vector>

#include "mcp/tool.h"
#include "service/executor.h"
#include "service/registry.h"

namespace quiver::mcp {

/// The operations of a registry as tools, in its order. Borrows both.
///
/// A result over `result_bytes_max` is a failure: it is sent twice, as text and as structure.
std::vector<Tool> operation_tools(const service::Registry& registry, service::Executor& executor,
                                  std::size_t result_bytes_max = std::size_t{8} << 20);

}  // namespace quiver::mcp
