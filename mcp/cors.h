#pragma once

#include <memory>
#include <optional>

#include "core/http.h"
#include "mcp/http_reply.h"

/// What lets a page of an allowed origin read the answers: Cross-Origin Resource Sharing.
///
/// Only for HttpAccess::allowed_origins. A page of the loopback may call, as a program there may,
/// but what it reads is for the browser's own rules to decide.
///
/// Source: WHATWG Fetch, 3.3 CORS protocol; WICG Private Network Access.
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
