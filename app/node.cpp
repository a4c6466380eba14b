#include "app/node.h"

#include <chrono>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "api/rest/health.h"
#include "api/rest/rest_endpoint.h"
#include "app/http_listener.h"
#include "app/http_surfaces.h"
#include "app/lanes.h"
#include "app/metered.h"
#include "app/node_reports.h"
#include "app/prometheus.h"
#include "cluster/membership_file.h"
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

/// Reports that may wait.
constexpr std::size_t kReportsMax = 16;

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

mcp::HttpEndpointOptions endpoint_of(const Options& options,
                                     std::shared_ptr<InFlight> json_memory) {
  mcp::HttpEndpointOptions out;
  out.access = access_of(options);
  out.sessions.sessions = options.server.sessions;
  out.sessions.idle = std::chrono::seconds(options.server.session_idle_s);
  out.sessions.events.total_bytes = options.server.event_log_bytes;
  out.json_memory = std::move(json_memory);
  return out;
}

api::RestOptions rest_of(const Options& options, std::shared_ptr<InFlight> json_memory) {
  api::RestOptions out;
  out.access = access_of(options);
  out.body_bytes_max = options.server.message_bytes_max;
  out.call_timeout = std::chrono::seconds(options.server.call_timeout_s);
  out.version = QV_VERSION;
  out.json_memory = std::move(json_memory);
  return out;
}

/// What REST offers: toolsets are a matter of what models have to read, the rest holds here too.
service::Selection rest_selection(const Options& options) {
  service::Selection selection = options.mcp.selection;
  selection.toolsets.clear();
  for (const auto& [toolset, name] : service::EnumNames<service::Toolset>::kNames) {
    selection.toolsets.push_back(toolset);
  }
  return selection;
}

std::string metrics_of(service::Executor& executor, const mcp::HttpEndpoint& endpoint,
                       const Prometheus& metrics) {
  MetricText out;
  out.begin({"quiver_build_info", "The version that runs."}, "gauge");
  out.value(MetricText::rendered({{"version", QV_VERSION}}), 1.0);
  write_node_metrics(executor, out);
  out.gauge({"quiver_mcp_sessions", "Sessions of clients by HTTP."},
            static_cast<double>(endpoint.sessions()));
  metrics.write(out);
  write_process_metrics(out);
  return out.text();
}

mcp::Submit onto(Lane& lane) {
  return [&lane](std::function<void()> work) { return lane.submit(std::move(work)); };
}

std::unique_ptr<mcp::SseEndpoint> sse_of(const Options& options, const mcp::Server& server,
                                         Lane& lane) {
  if (!options.server.legacy_sse) return nullptr;
  mcp::SseEndpointOptions sse;
  sse.access = access_of(options);
  sse.messages_path = kMessagesPath;
  sse.sessions_max = options.server.sessions;
  return std::make_unique<mcp::SseEndpoint>(server, onto(lane), std::move(sse));
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
  const auto all = service::catalogue();
  QV_TRY(const auto tools, service::select(all, options_.mcp.selection));
  QV_TRY(const auto operations, service::select(all, rest_selection(options_)));
  Prometheus metrics;
  service::SelectedExecutor selected(operations, executor_);
  MeteredExecutor executor(selected, metrics);
  Lane lane(lane_of(options_));
  // Its own: a server that is busy is to be seen.
  Lane reports({"reports", 1, kReportsMax});
  const mcp::Server server(mcp::product_offer(tools, executor), onto(lane), mcp_of(options_));
  // One for both: it bounds the process.
  const auto json_memory = std::make_shared<InFlight>(2 * kJsonMemoryMax);
  mcp::HttpEndpoint endpoint(server, onto(lane), endpoint_of(options_, json_memory));
  const auto sse = sse_of(options_, server, lane);
  const api::RestEndpoint rest(all, operations, executor, onto(lane),
                               rest_of(options_, json_memory));
  const api::HealthEndpoint health({QV_VERSION, [this] { return readiness(executor_); },
                                    [&] { return metrics_of(executor_, endpoint, metrics); }},
                                   onto(reports), access_of(options_));
  const HttpSurfaces surfaces{endpoint, sse.get(), rest, health, metrics};
  QV_TRY(auto listener, HttpListener::start(listener_of(options_),
                                            [&](HttpRequest&& request, const auto& responder) {
                                              surfaces.handle(std::move(request), responder);
                                            }));
  on_started("http://" + url_host(options_.server.host) + ":" + std::to_string(listener->port()) +
             kMcpPath);
  stop.wait();
  listener->stop([&] {
    surfaces.stop();
    server.stop();
  });
  reports.stop();
  lane.stop();
  executor_.close();
  return Done{};
}

}  // namespace quiver::app
