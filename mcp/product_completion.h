#pragma once

#include "mcp/completion.h"
#include "service/executor.h"

namespace quiver::mcp {

/// Completes the arguments of product_prompts(), and the variables of the templates of
/// CollectionResources: names of collections, metadata fields and ids. Borrows the executor.
Complete product_completion(service::Executor& executor);

}  // namespace quiver::mcp
