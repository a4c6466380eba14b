#pragma once

#include <cstddef>

#include "mcp/offer.h"
#include "service/executor.h"
#include "service/registry.h"

namespace quiver::mcp {

/// What Quiver offers over MCP: the operations of `registry` as tools, collections as resources,
/// prompts about them and completion of their names, and word of their changes. Borrows both.
Offer product_offer(const service::Registry& registry, service::Executor& executor);

}  // namespace quiver::mcp
