#pragma once

#include <string_view>

#include "core/json.h"
#include "mcp/revision.h"

namespace quiver::mcp {

/// Who the server says it is, with the fields that `revision` has.
Json server_info(const Revision& revision);

/// What a model should know before it sees any tool; at most 300 tokens.
std::string_view instructions() noexcept;

}  // namespace quiver::mcp
