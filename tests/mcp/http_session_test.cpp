// Sessions of legacy clients by HTTP: how they begin and end, what belongs to them, and how many
// there may be.

#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <malloc.h>

#include "http_support.h"
#include "mcp/http_sessions.h"

namespace quiver::mcp {
namespace {

using test::call_of;
using test::request;
using test::Site;
using namespace std::chrono_literals;

HttpRequest initialize(const std::string& version) {
  return Site::post(request(0, "initialize", {{"protocolVersion", version}}));
}

HttpRequest erase_of(const std::string& session) {
  HttpRequest http = Site::get(session);
  http.method = "DELETE";
  return http;
}

TEST_CASE("HTTP session: from initialize to DELETE", "[mcp][http]") {
  Site site;
  const HttpResponse opened = site.send(initialize("2025-06-18"));
  CHECK(opened.status == 200);
  CHECK(opened.headers.at("content-type") == "application/json");
  CHECK(test::parsed(opened.body)["result"]["protocolVersion"] == "2025-06-18");
  const std::string id = opened.headers.at("mcp-session-id");
  // At least 128 bits, in visible ASCII.
  CHECK(id.size() >= 32);
  CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);

  const std::string told = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  CHECK(site.status(Site::in(id, told)) == 202);
  CHECK(site.send(Site::in(id, told)).body.empty());
  const Json tools = site.result(Site::in(id, request(1, "tools/list")))["tools"];
  CHECK(tools[0].contains("outputSchema"));
  const HttpResponse called =
      site.send(Site::in(id, request(2, "tools/call", call_of("echo", {{"text", "x"}}))));
  CHECK(called.headers.count("mcp-session-id") == 0);
  CHECK(test::parsed(called.body)["result"]["structuredContent"] == Json{{"text", "x"}});
  // JSON-RPC's own errors are no errors of HTTP here.
  const HttpResponse unknown = site.send(Site::in(id, request(3, "nonsense")));
  CHECK(unknown.status == 200);
  CHECK(test::parsed(unknown.body)["error"]["code"] == -32601);

  const HttpResponse ended = site.send(erase_of(id));
  CHECK(ended.status == 204);
  CHECK(ended.body.empty());
  const HttpResponse late = site.send(Site::in(id, request(4, "tools/list")));
  CHECK(late.status == 404);
  CHECK(test::parsed(late.body)["id"] == 4);
  CHECK(site.status(Site::in(id, told)) == 404);
  CHECK(site.status(Site::get(id)) == 404);
  CHECK(site.status(erase_of(id)) == 404);
  CHECK(site.endpoint.sessions() == 0);
}

TEST_CASE("HTTP session: every legacy message but initialize needs one", "[mcp][http]") {
  Site site;
  const std::vector<std::string> bodies{
      request(1, "tools/list"), request(1, "ping"), "[" + request(1, "ping") + "]",
      R"({"jsonrpc":"2.0","method":"n"})", R"({"jsonrpc":"2.0","id":1,"result":{}})"};
  for (const std::string& body : bodies) {
    INFO(body);
    CHECK(site.status(Site::post(body)) == 400);
    CHECK(site.status(Site::in("nonsense", body)) == 404);
    CHECK(site.status(Site::in("", body)) == 404);
  }
  HttpRequest get = Site::get("x");
  get.headers.erase("mcp-session-id");
  CHECK(site.status(get) == 400);
  get.method = "DELETE";
  CHECK(site.status(get) == 400);
  CHECK(site.endpoint.sessions() == 0);
}

TEST_CASE("HTTP session: one handshake each", "[mcp][http]") {
  Site site;
  const std::string id = site.open();
  HttpRequest again = initialize("2025-11-25");
  again.headers["mcp-session-id"] = id;
  CHECK(site.status(again) == 400);
  // A client that lost its session may still name it.
  again.headers["mcp-session-id"] = "lost";
  CHECK(site.send(again).headers.count("mcp-session-id") == 1);
  CHECK(site.endpoint.sessions() == 2);
  CHECK(site.open() != site.open());

  // A handshake that fails leaves nothing behind.
  const std::size_t before = site.endpoint.sessions();
  const HttpResponse failed = site.send(Site::post(request(1, "initialize")));
  CHECK(failed.status == 200);
  CHECK(failed.headers.count("mcp-session-id") == 0);
  CHECK(test::parsed(failed.body)["error"]["code"] == -32602);
  Json large = Json::object();
  large["experimental"]["x"] = std::string(5000, 'x');
  CHECK(site.error(Site::post(request(
            1, "initialize", {{"protocolVersion", "2025-11-25"}, {"capabilities", large}}))) ==
        -32602);
  CHECK(site.endpoint.sessions() == before);
}

TEST_CASE("HTTP session: versions that HTTP and the handshake name", "[mcp][http]") {
  Site site;
  CHECK(site.result(initialize("2099-01-01"))["protocolVersion"] == "2025-11-25");
  CHECK(site.result(initialize("2026-07-28"))["protocolVersion"] == "2025-11-25");
  CHECK(site.result(initialize("2024-11-05"))["protocolVersion"] == "2024-11-05");

  HttpRequest named = initialize("2025-11-25");
  named.headers["mcp-protocol-version"] = "2025-11-25";
  CHECK(site.status(named) == 200);
  named.headers["mcp-protocol-version"] = "2025-01-01";
  CHECK(site.status(named) == 400);
  CHECK(site.error(named) == -32022);
  named.headers["mcp-protocol-version"] = "2026-07-28";
  CHECK(site.error(named) == -32602);

  const std::string id = site.open("2025-06-18");
  for (const std::string& body :
       {request(1, "ping"), std::string(R"({"jsonrpc":"2.0","method":"n"})")}) {
    HttpRequest http = Site::in(id, body);
    CHECK(site.status(http) / 100 == 2);
    http.headers["mcp-protocol-version"] = " 2025-06-18 ";
    CHECK(site.status(http) / 100 == 2);
    http.headers["mcp-protocol-version"] = "2025-11-25";
    CHECK(site.status(http) == 400);
    http.headers["mcp-protocol-version"] = "2025-01-01";
    CHECK(site.status(http) == 400);
    CHECK(site.error(http) == -32022);
  }
  HttpRequest get = Site::get(id);
  get.headers["mcp-protocol-version"] = "1.0";
  CHECK(site.status(get) == 400);
}

TEST_CASE("HTTP session: batches belong to 2025-03-26 alone", "[mcp][http]") {
  Site site;
  const std::string batch = "[" + request(1, "ping") + R"(,{"jsonrpc":"2.0","method":"n"},7,)" +
                            request(2, "tools/call", call_of("echo")) +
                            R"(,{"jsonrpc":"2.0","id":"quiver-9","result":{}},)" +
                            request(3, "initialize", {{"protocolVersion", "2025-03-26"}}) + "]";
  for (const char* version : {"2024-11-05", "2025-06-18", "2025-11-25"}) {
    const HttpRequest http = Site::in(site.open(version), batch);
    CHECK(site.status(http) == 400);
    CHECK(site.error(http) == -32600);
  }
  HttpRequest http = Site::post(batch);
  http.headers["mcp-protocol-version"] = "2026-07-28";
  CHECK(site.status(http) == 400);
  CHECK(site.error(http) == -32600);

  const std::string id = site.open("2025-03-26");
  const Json replies = test::parsed(site.send(Site::in(id, batch)).body);
  std::multiset<std::string> ids;
  for (const Json& reply : replies) ids.insert(reply["id"].dump());
  CHECK(ids == std::multiset<std::string>{"1", "2", "3", "null"});
  CHECK(site.status(Site::in(id, R"([{"jsonrpc":"2.0","method":"n"}])")) == 202);
  CHECK(site.status(Site::in(id, "[]")) == 400);
  std::string many = "[" + request(0, "ping");
  for (int i = 1; i <= 100; ++i) many += "," + request(i, "ping");
  CHECK(site.status(Site::in(id, many + "]")) == 400);
}

TEST_CASE("HTTP session: what a client says is heard in its own session", "[mcp][http]") {
  Site site;
  const std::string mine = site.open();
  const std::string other = site.open();
  const auto held = site.begin(Site::in(mine, request(7, "tools/call", call_of("hold"))));
  REQUIRE(site.world.gate.wait_for(1));
  const std::string cancelled =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})";
  CHECK(site.status(Site::in(other, cancelled)) == 202);
  CHECK_FALSE(held->has_begun());
  // The same id again, while it is in flight; in another session it is another.
  const HttpResponse twice = site.send(Site::in(mine, request(7, "tools/call", call_of("echo"))));
  CHECK(test::parsed(twice.body)["error"]["code"] == -32600);
  CHECK(test::parsed(twice.body)["id"].is_null());
  CHECK(site.result(Site::in(other, request(7, "tools/call", call_of("echo")))).is_object());
  // Answers to what was never asked are nothing to us.
  CHECK(site.status(Site::in(mine, R"({"jsonrpc":"2.0","id":"quiver-1","result":{}})")) == 202);
  CHECK(site.status(Site::in(mine, R"({"jsonrpc":"2.0","id":99,"error":{}})")) == 202);

  CHECK(site.status(Site::in(mine, cancelled)) == 202);
  CHECK(held->head().status == 202);
  CHECK(held->head().body.empty());
}

TEST_CASE("HTTP session: DELETE stops what is under way", "[mcp][http]") {
  Site site;
  const std::string id = site.open();
  const auto listening = site.begin(Site::get(id));
  const auto held = site.begin(Site::in(id, request(7, "tools/call", call_of("hold"))));
  REQUIRE(site.world.gate.wait_for(1));
  CHECK(site.status(erase_of(id)) == 204);
  CHECK(held->head().status == 202);
  CHECK(listening->has_ended());
}

TEST_CASE("HTTP session: it ends when idle, but not while it is in use", "[mcp][http]") {
  HttpEndpointOptions options;
  options.sessions.idle = 60s;
  Site site(options);
  const std::string idle = site.open();
  const std::string busy = site.open();
  const std::string calling = site.open();
  const std::string listening = site.open();
  const auto stream = site.begin(Site::get(listening));
  const auto call = site.begin(Site::in(calling, request(1, "tools/call", call_of("hold"))));
  REQUIRE(site.world.gate.wait_for(1));
  for (int i = 0; i < 4; ++i) {
    site.clock->advance_ms(40'000);
    CHECK(site.status(Site::in(busy, request(1, "ping"))) == 200);
  }
  CHECK(site.endpoint.sessions() == 3);
  CHECK(site.status(Site::in(idle, request(1, "ping"))) == 404);
  CHECK(site.status(Site::in(calling, request(2, "ping"))) == 200);
  CHECK(site.status(Site::in(listening, request(1, "ping"))) == 200);

  // Their time runs from when they were last in use.
  site.clock->advance_ms(50'000);
  stream->hang_up();
  site.clock->advance_ms(50'000);
  CHECK(site.status(Site::in(listening, request(1, "ping"))) == 200);
  site.clock->advance_ms(61'000);
  CHECK(site.status(Site::in(listening, request(1, "ping"))) == 404);
}

TEST_CASE("HTTP session: there is a bound; the idle make room, longest idle first", "[mcp][http]") {
  HttpEndpointOptions options;
  options.sessions.sessions = 3;
  Site site(options);
  const std::string first = site.open();
  const std::string second = site.open();
  const std::string third = site.open();
  const auto call = site.begin(Site::in(first, request(1, "tools/call", call_of("hold"))));
  const auto stream = site.begin(Site::get(second));
  CHECK(site.status(Site::in(third, request(1, "ping"))) == 200);
  const std::string fourth = site.open();
  CHECK(site.status(Site::in(third, request(1, "ping"))) == 404);
  const auto last = site.begin(Site::get(fourth));

  const HttpResponse full = site.send(initialize("2025-11-25"));
  CHECK(full.status == 503);
  CHECK(full.headers.count("retry-after") == 1);
  for (const std::string& id : {first, second, fourth}) {
    CHECK(site.status(Site::in(id, request(2, "ping"))) == 200);
  }
  last->hang_up();
  CHECK(site.status(initialize("2025-11-25")) == 200);
  CHECK(site.status(Site::in(fourth, request(1, "ping"))) == 404);
}

TEST_CASE("HTTP session: 10,000 cost a bounded amount of memory", "[mcp][http]") {
  Site site;
  const auto used = [] { return ::mallinfo2().uordblks; };
  const auto open = [&](int count) {
    for (int i = 0; i < count; ++i) site.open();
  };
  open(100);
  const std::size_t before = used();
  open(9900);
  const std::size_t each = (used() - before) / 9900;
  WARN("bytes per idle session: " << each);
  CHECK(each < 4096);
  const std::size_t full = used();
  open(10'000);
  CHECK(site.endpoint.sessions() == 10'000);
  CHECK(used() <= full + full / 10);
}

}  // namespace
}  // namespace quiver::mcp
