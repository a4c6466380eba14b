#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/rest/health.h"
#include "api/rest/rest_endpoint.h"
#include "core/http.h"
#include "core/metrics.h"
#include "mcp/http_endpoint.h"
#include "mcp/sse_endpoint.h"

namespace quiver::app {

inline constexpr const char* kMcpPath = "/mcp";
inline constexpr const char* kSsePath = "/sse";
inline constexpr const char* kMessagesPath = "/messages";

/// Where the requests of the one HTTP listener go. Borrows all; none may end before the listener.
struct HttpSurfaces {
  mcp::HttpEndpoint& mcp;
  /// Null: not served.
  mcp::SseEndpoint* sse;
  const api::RestEndpoint& rest;
  const api::HealthEndpoint& health;
  MetricSink& metrics;

  /// Answers now or later. Does not block.
  void handle(HttpRequest request, const std::shared_ptr<HttpResponder>& responder) const;

  /// Ends what streams.
  void stop() const;
};

}  // namespace quiver::app
