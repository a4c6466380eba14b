#include "app/http_surfaces.h"

#include <string_view>
#include <utility>

#include "api/rest/target.h"
#include "app/metered.h"
#include "core/http_problem.h"

namespace quiver::app {
namespace {

constexpr int kNotFound = 404;

HttpResponse unknown_path(std::string_view path) {
  if (path == kSsePath || path == kMessagesPath) {
    return problem(kNotFound, ErrorCode::NotFound,
                   "the old HTTP+SSE transport is off: use /mcp (Streamable HTTP), or set "
                   "server.legacy_sse");
  }
  return problem(kNotFound, ErrorCode::NotFound,
                 "there are /mcp, /api/v1 (see /api/v1/openapi.json), /healthz, /readyz and "
                 "/metrics");
}

/// What a request counts as: one of a few.
std::string route_name(const HttpSurfaces& surfaces, const HttpRequest& request) {
  const std::string_view path = api::path_of(request.target);
  const bool is_sse = surfaces.sse != nullptr && (path == kSsePath || path == kMessagesPath);
  if (is_sse || path == kMcpPath || api::HealthEndpoint::serves(path)) return std::string(path);
  std::string route = surfaces.rest.route_of(request);
  return route.empty() ? "other" : route;
}

}  // namespace

void HttpSurfaces::handle(HttpRequest request,
                          const std::shared_ptr<HttpResponder>& responder) const {
  auto counted = metered(responder, request.method, route_name(*this, request), metrics);
  const std::string path(api::path_of(request.target));
  if (path == kMcpPath) return mcp.handle(std::move(request), std::move(counted));
  if (sse != nullptr && path == kSsePath) return sse->open(request, counted);
  if (sse != nullptr && path == kMessagesPath) return sse->take(std::move(request), counted);
  if (api::RestEndpoint::serves(path)) return rest.handle(std::move(request), std::move(counted));
  if (api::HealthEndpoint::serves(path)) return health.handle(request, counted);
  counted->respond(unknown_path(path));
}

void HttpSurfaces::stop() const {
  mcp.stop();
  if (sse != nullptr) sse->stop();
}

}  // namespace quiver::app
