#pragma once

#include <string>

#include "core/json.h"
#include "mcp/revision.h"

/// Leaves out what a revision does not have.
namespace quiver::mcp {

/// A Resource, a ResourceTemplate or a Prompt, as the newest revision has it.
Json fit_listed(Json item, const Revision& revision);
/// An array of those.
Json fit_list(const Json& items, const Revision& revision);

/// One block of content. A kind that the revision does not have becomes text that stands for it.
Json fit_content(Json block, const Revision& revision);
/// JSON text of an array of those.
std::string content_text(const Json& blocks, const Revision& revision);

/// An array of ResourceContents.
Json fit_contents(Json contents, const Revision& revision);

}  // namespace quiver::mcp
