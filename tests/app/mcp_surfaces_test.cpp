// MCP by both of its transports as the process puts them together: a lane under a listener, a lane
// under a connection on a socket pair. One operation, which waits until it is let go or cancelled.

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/socket.h>

#include "app/http_listener.h"
#include "app/lanes.h"
#include "mcp/connection.h"
#include "mcp/http_endpoint.h"
#include "mcp/product_offer.h"
#include "mcp/stdio_transport.h"
#include "on_lane.h"
#include "raw_socket.h"

namespace quiver::app {
namespace {

using test::kPatience;
using test::Received;
using test::Socket;

/// Waits while its arguments say so, and tells how it ended.
class Waiting final : public service::Executor {
 public:
  Result<Json> invoke(const CallContext& call, std::string_view, const Json& arguments) override {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    while (arguments.contains("wait") && !open_ && call.check().ok()) {
      changed_.wait_for(lock, std::chrono::milliseconds(2));
    }
    cancelled_ += call.cancel.cancelled() ? 1 : 0;
    ++ended_;
    changed_.notify_all();
    return arguments;
  }
  bool wait_begun(int count) { return wait(begun_, count); }
  bool wait_ended(int count) { return wait(ended_, count); }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  bool wait(const int& counter, int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return counter >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int begun_ = 0;
  int ended_ = 0;
  int cancelled_ = 0;
};

service::Registry one_tool() {
  service::Operation operation;
  operation.name = "probe";
  operation.request_schema = {{"type", "object"}};
  operation.response_schema = {{"type", "object"}};
  return service::Registry({operation});
}

struct World {
  Waiting executor;
  service::Registry registry = one_tool();
  Lane lane{{"request", 4, 16}};
  mcp::Server server{mcp::product_offer(registry, executor),
                     [this](std::function<void()> work) { return lane.submit(std::move(work)); }};

  /// Work on the lane needs the server.
  ~World() { lane.stop(); }
};

std::string message(const Json& id, const std::string& method, Json params) {
  return Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}}
      .dump();
}

Json call(bool modern, Json arguments) {
  Json params{{"name", "probe"}, {"arguments", std::move(arguments)}};
  if (modern) {
    params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                       {"io.modelcontextprotocol/clientCapabilities", Json::object()}};
  }
  return params;
}

std::string post(const std::string& body, const std::string& host = "localhost",
                 const std::string& more = "") {
  return "POST /mcp HTTP/1.1\r\nHost: " + host +
         "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
         more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

const char* const kModernCall =
    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: probe\r\n";

struct Site {
  World world;
  mcp::HttpEndpoint endpoint{world.server, {}};
  std::unique_ptr<HttpListener> listener;

  Site() {
    HttpListenerOptions options;
    options.port = 0;
    auto started =
        HttpListener::start(options, [this](const HttpRequest& request, const auto& responder) {
          endpoint.handle(request, responder);
        });
    REQUIRE(started.ok());
    listener = *std::move(started);
  }
};

TEST_CASE("MCP over HTTP: both eras on one kept connection", "[app][mcp]") {
  Site site;
  Socket client(site.listener->port());
  client.send(post(message(1, "initialize", {{"protocolVersion", "2025-11-25"}})));
  const Received opened = client.receive();
  CHECK(opened.status == 200);
  CHECK(Json::parse(opened.body)["result"]["protocolVersion"] == "2025-11-25");
  client.send(post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"));
  CHECK(client.receive().status == 202);
  client.send(post(message("m", "tools/call", call(true, {{"x", 1}})), "[::1]:1", kModernCall));
  const Json called = Json::parse(client.receive().body);
  CHECK(called["result"]["structuredContent"] == Json{{"x", 1}});
  CHECK(called["result"]["resultType"] == "complete");
  client.send("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const Received get = client.receive();
  CHECK(get.status == 405);
  CHECK(get.header("allow") == "POST");
}

TEST_CASE("MCP over HTTP: evil hosts and origins are turned away", "[app][mcp]") {
  Site site;
  const std::string ping = message(1, "ping", Json::object());
  Socket client(site.listener->port());
  client.send(post(ping, "evil.example.com"));
  CHECK(client.receive().status == 403);
  client.send(post(ping, "localhost", "Origin: http://evil.example.com\r\n"));
  CHECK(client.receive().status == 403);
  client.send(post(ping, "localhost", "Origin: http://localhost:6274\r\n"));
  CHECK(client.receive().status == 200);
}

TEST_CASE("MCP over HTTP: a client that goes away cancels a modern call, and no legacy one",
          "[app][mcp]") {
  Site site;
  {
    Socket modern(site.listener->port());
    modern.send(
        post(message(1, "tools/call", call(true, {{"wait", 1}})), "localhost", kModernCall));
    REQUIRE(site.world.executor.wait_begun(1));
  }
  CHECK(site.world.executor.wait_ended(1));
  CHECK(site.world.executor.cancelled() == 1);
  {
    Socket legacy(site.listener->port());
    legacy.send(post(message(1, "tools/call", call(false, {{"wait", 1}}))));
    REQUIRE(site.world.executor.wait_begun(2));
  }
  site.world.executor.open();
  CHECK(site.world.executor.wait_ended(2));
  CHECK(site.world.executor.cancelled() == 1);
}

TEST_CASE("MCP over stdio: calls run on the lane, and end with the input", "[app][mcp]") {
  std::signal(SIGPIPE, SIG_IGN);
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  World world;
  auto transport = *mcp::StdioTransport::open(pair[1], pair[1], {});
  mcp::Connection connection(world.server, *transport);
  std::thread server([&] { CHECK(connection.run().ok()); });

  std::string lines;
  for (int id = 1; id <= 4; ++id) {
    lines += message(id, "tools/call", call(id % 2 == 0, {{"wait", id}})) + "\n";
  }
  REQUIRE(::write(pair[0], lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  REQUIRE(world.executor.wait_begun(4));
  const std::string cancel =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}})"
      "\n";
  REQUIRE(::write(pair[0], cancel.data(), cancel.size()) == static_cast<ssize_t>(cancel.size()));
  REQUIRE(world.executor.wait_ended(1));
  ::shutdown(pair[0], SHUT_WR);
  world.executor.open();
  server.join();

  std::string heard;
  std::vector<char> part(65536);
  transport.reset();
  for (ssize_t got = 1; got > 0;) {
    got = ::read(pair[0], part.data(), part.size());
    if (got > 0) heard.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(pair[0]);
  std::multiset<int> ids;
  while (!heard.empty()) {
    const auto end = heard.find('\n');
    REQUIRE(end != std::string::npos);
    const Json reply = Json::parse(heard.substr(0, end));
    heard.erase(0, end + 1);
    ids.insert(reply["id"].get<int>());
    CHECK(reply["result"].contains("content"));
  }
  CHECK(ids == std::multiset<int>{1, 2, 4});
  world.lane.stop();
}

}  // namespace
}  // namespace quiver::app
