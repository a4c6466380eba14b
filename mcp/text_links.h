#pragma once

#include "service/operation.h"

namespace quiver::mcp {

/// Where the whole of each text is that a reply shows cut: resource_link blocks for the points that
/// say text_truncated, in their order.
Json text_links(const service::Operation& operation, const Json& arguments, const Json& reply);

}  // namespace quiver::mcp
