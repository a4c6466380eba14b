#pragma once

#include "core/json.h"
#include "mcp/offer.h"
#include "mcp/revision.h"

namespace quiver::mcp {

/// Implementation, as `revision` has it.
Json server_info(const About& about, const Revision& revision);

/// ServerCapabilities: what an offer amounts to in `revision`.
Json capabilities(const Offer& offer, const Revision& revision);

}  // namespace quiver::mcp
