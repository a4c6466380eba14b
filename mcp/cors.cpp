#include "mcp/cors.h"

#include <utility>

#include "core/http_cors.h"

namespace quiver::mcp {
namespace {

const CorsTerms& terms() {
  static const CorsTerms all{{"accept", "authorization", "content-type", "last-event-id",
                              "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"},
                             "mcp-param-",
                             "Mcp-Session-Id, MCP-Protocol-Version, Retry-After, WWW-Authenticate"};
  return all;
}

}  // namespace

std::optional<HttpResponse> preflight(const HttpRequest& request, const HttpAccess& access,
                                      const char* methods) {
  return cors_preflight(request, access, terms(), methods);
}

std::shared_ptr<HttpResponder> with_cors(std::shared_ptr<HttpResponder> responder,
                                         const HttpRequest& request, const HttpAccess& access) {
  return with_cors_headers(std::move(responder), request, access, terms());
}

}  // namespace quiver::mcp
