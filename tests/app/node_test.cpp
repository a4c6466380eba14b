// The surfaces over a fake engine: MCP over two pipes, HTTP on a free port, and how they stop.

#include "app/node.h"

#include <future>
#include <string>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "app/stop_signals.h"
#include "core/json.h"
#include "tests/app/fake_engine.h"
#include "tests/app/peer.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

using Catch::Matchers::Contains;

struct Pipe {
  Fd read;
  Fd write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
};

struct Fixture {
  TempDir dir;
  Options options;
  StopSwitch stop;
  std::unique_ptr<Node> node;
  Fixture() {
    options.data_dir = (dir.path() / "data").string();
    options.server.port = 0;
    node = std::make_unique<Node>(options, Environment{}, fake_engine(dir.path()));
  }
};

std::string read_line(const Fd& fd) {
  std::string line;
  for (char c = 0; ::read(fd.get(), &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

void write_line(const Fd& fd, const Json& message) {
  const std::string text = message.dump() + "\n";
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

const Json kInitialize{{"jsonrpc", "2.0"},
                       {"id", 1},
                       {"method", "initialize"},
                       {"params",
                        {{"protocolVersion", "2025-06-18"},
                         {"capabilities", Json::object()},
                         {"clientInfo", {{"name", "test"}, {"version", "1"}}}}}};

TEST_CASE("node: stdio answers initialize without touching the data", "[app][node]") {
  Fixture f;
  Pipe to;
  Pipe from;
  auto serving = std::async(std::launch::async, [&] {
    return f.node->serve_stdio({std::move(to.read), std::move(from.write)}, f.stop);
  });
  write_line(to.write, kInitialize);
  const Json reply = Json::parse(read_line(from.read));
  CHECK(reply.at("id") == 1);
  CHECK(reply.at("result").at("serverInfo").at("name") == "quiver");
  CHECK_FALSE(std::filesystem::exists(f.options.data_dir));

  // A tool call reaches the engine, which does not know the operation.
  write_line(to.write, {{"jsonrpc", "2.0"},
                        {"id", 2},
                        {"method", "tools/call"},
                        {"params", {{"name", "collection_list"}, {"arguments", Json::object()}}}});
  const Json called = Json::parse(read_line(from.read));
  CHECK(called.at("id") == 2);
  CHECK(called.at("result").at("isError") == true);
  CHECK(std::filesystem::exists(f.options.data_dir));

  to.write.reset();  // the end of stdin ends the node
  CHECK(serving.get().ok());
  CHECK(DataLock::try_acquire(f.options.data_dir)->has_value());
}

Json request(int id, const std::string& method, const Json& params) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
}

TEST_CASE("node: only the tools that were chosen are offered, and writes are refused",
          "[app][node]") {
  Fixture f;
  f.options.mcp.selection.toolsets = {service::Toolset::Memory};
  f.options.mcp.selection.read_only = true;
  Node node(f.options, {}, fake_engine(f.dir.path()));
  Pipe to;
  Pipe from;
  auto serving = std::async(std::launch::async, [&] {
    return node.serve_stdio({std::move(to.read), std::move(from.write)}, f.stop);
  });
  write_line(to.write, kInitialize);
  read_line(from.read);
  write_line(to.write, request(2, "tools/list", Json::object()));
  const Json listed = Json::parse(read_line(from.read));
  const Json& tools = listed.at("result").at("tools");
  REQUIRE(tools.size() == 2);
  CHECK(tools.at(0).at("name") == "memory_get");
  CHECK(tools.at(1).at("name") == "memory_search");
  write_line(to.write,
             request(3, "tools/call", {{"name", "memory_store"}, {"arguments", Json::object()}}));
  const Json refused = Json::parse(read_line(from.read));
  CHECK(refused.contains("error"));
  to.write.reset();
  CHECK(serving.get().ok());
}

TEST_CASE("node: a signal ends stdio too", "[app][node]") {
  Fixture f;
  Pipe to;
  Pipe from;
  auto serving = std::async(std::launch::async, [&] {
    return f.node->serve_stdio({std::move(to.read), std::move(from.write)}, f.stop);
  });
  write_line(to.write, kInitialize);
  read_line(from.read);
  f.stop.fire();
  CHECK(serving.get().ok());
}

/// The reply to one request of a connection of its own.
std::string http(const std::string& url, const std::string& request) {
  const auto colon = url.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))));
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::send(socket.get(), request.data(), request.size(), 0) ==
          static_cast<ssize_t>(request.size()));
  std::string reply;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    reply.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return reply;
}

std::string get(const std::string& method, const std::string& path) {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
}

TEST_CASE("node: HTTP serves MCP, REST and reports until it is stopped", "[app][node]") {
  Fixture f;
  std::promise<std::string> started;
  auto serving = std::async(std::launch::async, [&] {
    return f.node->serve_http(f.stop, [&](const std::string& url) { started.set_value(url); });
  });
  const std::string url = started.get_future().get();
  CHECK_THAT(url, Catch::StartsWith("http://127.0.0.1:") && Catch::EndsWith("/mcp"));
  CHECK(std::filesystem::exists(f.options.data_dir + "/lock"));

  const auto health = http(url, get("GET", "/healthz?x=1"));
  CHECK_THAT(health, Catch::StartsWith("HTTP/1.1 200") && Contains("\"status\":\"ok\""));
  CHECK_THAT(http(url, get("DELETE", "/healthz")), Catch::StartsWith("HTTP/1.1 405"));
  CHECK_THAT(http(url, get("GET", "/else")),
             Catch::StartsWith("HTTP/1.1 404") && Contains("/api/v1/openapi.json"));
  // The engine of these tests has no operation of the product.
  CHECK_THAT(http(url, get("GET", "/readyz")),
             Catch::StartsWith("HTTP/1.1 503") && Contains("node_status"));
  CHECK_THAT(http(url, get("GET", "/api/v1/collections")),
             Catch::StartsWith("HTTP/1.1 404") && Contains("collection_list"));
  CHECK_THAT(http(url, get("GET", "/api/v1/openapi.json")), Catch::StartsWith("HTTP/1.1 200"));
  CHECK_THAT(http(url, get("GET", "/metrics")),
             Catch::StartsWith("HTTP/1.1 200") && Contains("quiver_ready 0") &&
                 Contains(R"(quiver_operations_total{operation="collection_list",outcome=)"
                          R"("not_found"} 1)") &&
                 Contains(R"({method="GET",route="other",status="404"} 1)"));
  CHECK_THAT(http(url, get("GET", "/mcp")), Catch::StartsWith("HTTP/1.1 400"));
  CHECK_THAT(http(url, get("PUT", "/mcp")), Catch::StartsWith("HTTP/1.1 405"));
  const std::string body = kInitialize.dump();
  const auto reply = http(url,
                          "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\n"
                          "Accept: application/json, text/event-stream\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK_THAT(reply, Catch::StartsWith("HTTP/1.1 200") && Contains("protocolVersion"));

  f.stop.fire();
  CHECK(serving.get().ok());
  CHECK(DataLock::try_acquire(f.options.data_dir)->has_value());
}

TEST_CASE("node: HTTP says at once what is in its way", "[app][node]") {
  Fixture f;
  f.options.data_dir = f.dir.write("file", "").string();
  Node blocked(f.options, {}, fake_engine(f.dir.path()));
  CHECK_FALSE(blocked.serve_http(f.stop, [](const std::string&) { FAIL(); }).ok());
  f.options.data_dir = (f.dir.path() / "data").string();
  f.options.server.host = "192.0.2.1";
  Node elsewhere(f.options, {}, fake_engine(f.dir.path()));
  CHECK_FALSE(elsewhere.serve_http(f.stop, [](const std::string&) { FAIL(); }).ok());
}

TEST_CASE("node: a second server on the same data forwards to the first", "[app][node]") {
  Fixture f;
  Node second(f.options, {}, fake_engine(f.dir.path()));
  std::promise<void> started;
  auto serving = std::async(std::launch::async, [&] {
    return f.node->serve_http(f.stop, [&](const std::string&) { started.set_value(); });
  });
  started.get_future().get();
  StopSwitch second_stop;
  auto also = std::async(std::launch::async, [&] {
    return second.serve_http(second_stop, [&](const std::string&) { second_stop.fire(); });
  });
  CHECK(also.get().ok());
  f.stop.fire();
  CHECK(serving.get().ok());
}

TEST_CASE("stop switch: fires once, now or when armed, and not after disarm", "[app][node]") {
  StopSwitch stop;
  int stops = 0;
  stop.arm([&] { ++stops; });
  stop.disarm();
  stop.fire();
  CHECK(stops == 0);
  stop.arm([&] { ++stops; });
  CHECK(stops == 1);
  stop.fire();
  CHECK(stops == 1);
  stop.wait();
}

TEST_CASE("stop signals: the first one calls, SIGPIPE is ignored", "[app][node]") {
  StopSwitch stop;
  int number = 0;
  {
    StopSignals signals([&](int signal) {
      number = signal;
      stop.fire();
    });
    ::kill(::getpid(), SIGPIPE);
    ::kill(::getpid(), SIGTERM);
    stop.wait();
  }
  CHECK(number == SIGTERM);
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace
}  // namespace quiver::app
