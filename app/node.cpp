#include "app/node.h"

#include <chrono>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "app/http_head.h"
#include "app/http_listener.h"
#include "app/lanes.h"
#include "cluster/membership_file.h"
#include "core/json.h"
#include "core/log.h"
#include "mcp/connection.h"
#include "mcp/http_endpoint.h"
#include "mcp/product_offer.h"
#include "mcp/server.h"
#include "mcp/sse_endpoint.h"
#include "mcp/stdio_transport.h"
#include "service/registry.h"
#include "service/selection.h"

namespace quiver::app {
namespace {

constexpr std::string_view kMcpPath = "/mcp";
constexpr std::string_view kSsePath = "/sse";
constexpr std::string_view kMessagesPath = "/messages";
constexpr std::string_view kHealthPath = "/healthz";

SharingOptions sharing_of(const Options& options) {
  SharingOptions sharing;
  sharing.server.threads = options.server.request_threads;
  sharing.server.queue = options.server.request_queue;
  return sharing;
}

mcp::ServerOptions mcp_of(const Options& options) {
  mcp::ServerOptions out;
  out.call_timeout = std::chrono::seconds(options.server.call_timeout_s);
  return out;
}

LaneOptions lane_of(const Options& options) {
  return {"request", options.server.request_threads, options.server.request_queue};
}

HttpListenerOptions listener_of(const Options& options) {
  HttpListenerOptions out;
  out.host = options.server.host;
  out.port = options.server.port;
  out.connections_max = options.server.connections;
  out.body_bytes_max = options.server.message_bytes_max;
  return out;
}

mcp::HttpAccess access_of(const Options& options) {
  return {options.server.allowed_hosts, options.server.allowed_origins};
}

mcp::HttpEndpointOptions endpoint_of(const Options& options) {
  mcp::HttpEndpointOptions out;
  out.access = access_of(options);
  out.sessions.sessions = options.server.sessions;
  out.sessions.idle = std::chrono::seconds(options.server.session_idle_s);
  out.sessions.events.total_bytes = options.server.event_log_bytes;
  return out;
}

HttpResponse json_response(int status, const Json& body) {
  return {status, {{"content-type", "application/json"}}, body.dump()};
}

/// Where requests go. The second is null if it is not served.
struct Surfaces {
  mcp::HttpEndpoint endpoint;
  std::unique_ptr<mcp::SseEndpoint> sse;

  void stop() {
    endpoint.stop();
    if (sse) sse->stop();
  }
};

HttpResponse unknown_path(std::string_view path, bool serves_sse) {
  const bool is_sse = path == kSsePath || path == kMessagesPath;
  if (is_sse && !serves_sse) {
    return json_response(404, {{"error",
                                "the old HTTP+SSE transport is off: use /mcp (Streamable HTTP), or "
                                "set server.legacy_sse"}});
  }
  return json_response(404, {{"error", "there are /mcp and GET /healthz"}});
}

void route(Surfaces& surfaces, HttpRequest request,
           const std::shared_ptr<HttpResponder>& responder) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (path == kMcpPath) return surfaces.endpoint.handle(std::move(request), responder);
  if (surfaces.sse && path == kSsePath) return surfaces.sse->open(request, responder);
  if (surfaces.sse && path == kMessagesPath) {
    return surfaces.sse->take(std::move(request), responder);
  }
  if (path != kHealthPath) {
    return responder->respond(unknown_path(path, surfaces.sse != nullptr));
  }
  if (request.method != "GET") {
    HttpResponse response = json_response(405, {{"error", "only GET"}});
    response.headers["allow"] = "GET";
    return responder->respond(std::move(response));
  }
  responder->respond(json_response(200, {{"status", "ok"}, {"version", QV_VERSION}}));
}

mcp::Submit onto(Lane& lane) {
  return [&lane](std::function<void()> work) { return lane.submit(std::move(work)); };
}

/// As part of a URL: an IPv6 address goes in brackets; where all addresses are listened at, the
/// loopback is the one that works from here.
std::string url_host(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "[::1]";
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Node::Node(const Options& options, const Environment& environment, ExecutorFactory engine)
    : options_(options),
      executor_(options.data_dir, environment, std::move(engine), sharing_of(options)) {}

Status Node::serve_stdio(ProtocolStreams streams, StopSwitch& stop) {
  mcp::StdioTransport::Options options;
  options.message_bytes_max = options_.server.message_bytes_max;
  QV_TRY(auto transport,
         mcp::StdioTransport::open(streams.in.release(), streams.out.release(), options));
  QV_TRY(const auto registry, service::select(service::catalogue(), options_.mcp.selection));
  service::SelectedExecutor selected(registry, executor_);
  Lane lane(lane_of(options_));
  const mcp::Server server(mcp::product_offer(registry, selected), onto(lane), mcp_of(options_));
  mcp::Connection connection(server, *transport);
  stop.arm([&transport] { transport->finish(); });
  Status status = connection.run();
  stop.disarm();
  server.stop();
  lane.stop();
  executor_.close();
  return status;
}

Status Node::serve_http(StopSwitch& stop,
                        const std::function<void(const std::string&)>& on_started) {
  if (!options_.cluster.is_clustered()) QV_CHECK(cluster::check_alone(options_.data_dir));
  // Now rather than at the first request: whoever starts a server wants to know that it works.
  QV_TRY(const auto role,
         options_.cluster.is_clustered() ? executor_.open({}) : executor_.attach({}));
  if (role == SharedExecutor::Role::Client && options_.cluster.is_clustered()) {
    return Error{ErrorCode::FailedPrecondition,
                 "data directory " + options_.data_dir +
                     " is owned by another process: each server of a cluster needs its own"};
  }
  if (role == SharedExecutor::Role::Client) {
    QV_LOG_INFO("data_forwarded dir=\"{}\" because=\"another process owns it\"", options_.data_dir);
  }
  QV_TRY(const auto registry, service::select(service::catalogue(), options_.mcp.selection));
  service::SelectedExecutor selected(registry, executor_);
  Lane lane(lane_of(options_));
  const mcp::Server server(mcp::product_offer(registry, selected), onto(lane), mcp_of(options_));
  Surfaces surfaces{{server, onto(lane), endpoint_of(options_)}, nullptr};
  if (options_.server.legacy_sse) {
    mcp::SseEndpointOptions sse;
    sse.access = access_of(options_);
    sse.messages_path = kMessagesPath;
    sse.sessions_max = options_.server.sessions;
    surfaces.sse = std::make_unique<mcp::SseEndpoint>(server, onto(lane), std::move(sse));
  }
  QV_TRY(auto listener, HttpListener::start(listener_of(options_),
                                            [&](HttpRequest request, const auto& responder) {
                                              route(surfaces, std::move(request), responder);
                                            }));
  on_started("http://" + url_host(options_.server.host) + ":" + std::to_string(listener->port()) +
             std::string(kMcpPath));
  stop.wait();
  listener->stop([&] {
    surfaces.stop();
    server.stop();
  });
  lane.stop();
  executor_.close();
  return Done{};
}

}  // namespace quiver::app
