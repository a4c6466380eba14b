#pragma once

#include <vector>

#include "mcp/prompt.h"
#include "service/executor.h"

namespace quiver::mcp {

/// recall, summarize_collection and cluster_health_review: each shows a model what is stored at
/// that time, and says what to make of it. Borrows the executor.
std::vector<Prompt> product_prompts(service::Executor& executor);

}  // namespace quiver::mcp
