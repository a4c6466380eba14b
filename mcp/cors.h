#pragma once

#include <memory>
#include <optional>

#include "core/http.h"
#include "mcp/http_reply.h"

/// What pages may send to MCP and read from it: core/http_cors.h on its terms.
namespace quiver::mcp {

/// The answer to a browser that asks beforehand whether it may send a request; nothing if this is
/// none of those, or comes from an origin that was not allowed. `methods`: those there are.
std::optional<HttpResponse> preflight(const HttpRequest& request, const HttpAccess& access,
                                      const char* methods);

/// Takes responses to `request` on to `responder`, with the headers that let its page read them;
/// `responder` itself if it comes from no allowed origin.
std::shared_ptr<HttpResponder> with_cors(std::shared_ptr<HttpResponder> responder,
                                         const HttpRequest& request, const HttpAccess& access);

}  // namespace quiver::mcp
