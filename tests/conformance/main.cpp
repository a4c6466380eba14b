// A server with the fixtures of the official MCP conformance suite: the mcp room and the HTTP
// listener as the product has them, with another offer.
// Usage: conformance-server --http HOST:PORT

#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/http_listener.h"
#include "app/lanes.h"
#include "app/stop_signals.h"
#include "app/stop_switch.h"
#include "fixtures.h"
#include "mcp/http_endpoint.h"
#include "mcp/server.h"

namespace quiver::conformance {
namespace {

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// Nothing unless `text` is HOST:PORT.
std::optional<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Address address{std::string(text.substr(0, colon))};
  const std::string_view port = text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [last, error] = std::from_chars(port.data(), end, address.port);
  if (error != std::errc() || last != end) return std::nullopt;
  return address;
}

/// The suite keeps about ten slow calls going, and counts every notification.
mcp::ServerOptions server_options() {
  mcp::ServerOptions options;
  options.call_timeout = std::chrono::seconds(90);
  options.progress_interval = std::chrono::milliseconds(0);
  options.task_after = std::chrono::milliseconds(250);
  return options;
}

Status serve(const Address& address) {
  app::StopSwitch stop;
  const app::StopSignals signals([&stop](int) { stop.fire(); });
  app::Lane lane({"request", 64, 1024});
  const mcp::Submit submit = [&lane](std::function<void()> work) {
    return lane.submit(std::move(work));
  };
  const mcp::Server server(offer(), submit, server_options());
  const mcp::HttpEndpointOptions surface;
  mcp::HttpEndpoint endpoint(server, submit, surface);
  app::HttpListenerOptions options;
  options.host = address.host;
  options.port = address.port;
  QV_TRY(auto listener, app::HttpListener::start(options, [&](HttpRequest request, auto responder) {
           if (request.target == "/mcp") {
             return endpoint.handle(std::move(request), std::move(responder));
           }
           responder->respond({404, {}, ""});
         }));
  std::cerr << "http://" << address.host << ":" << listener->port() << "/mcp" << std::endl;
  stop.wait();
  server.stop();
  listener->stop([&endpoint] { endpoint.stop(); });
  lane.stop();
  return Done{};
}

int run(int argc, char** argv) {
  const auto address =
      argc == 3 && std::string_view(argv[1]) == "--http" ? parse_address(argv[2]) : std::nullopt;
  if (!address) {
    std::cerr << "usage: conformance-server --http HOST:PORT\n";
    return 2;
  }
  if (const Status status = serve(*address); !status.ok()) {
    std::cerr << "conformance-server: " << status.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace quiver::conformance

int main(int argc, char** argv) {
  try {
    return quiver::conformance::run(argc, argv);
  } catch (const std::exception& problem) {
    std::cerr << "conformance-server: " << problem.what() << "\n";
    return 1;
  }
}
