#pragma once

#include <vector>

#include "mcp/prompt.h"
#include "service/executor.h"
#include "service/registry.h"

namespace quiver::mcp {

/// recall, summarize_collection and cluster_health_review: each shows a model what is stored at
/// that time, and says what to make of it. The review is of the whole cluster if `registry` offers
/// the tools that show it; recall is left out where memory_search is taken away. Borrows the
/// executor.
std::vector<Prompt> product_prompts(const service::Registry& registry, service::Executor& executor);

}  // namespace quiver::mcp
