// The older HTTP+SSE transport: one stream carries a session, and ends it.

#include "mcp/sse_endpoint.h"

#include <string>

#include <catch2/catch.hpp>

#include "http_support.h"

namespace quiver::mcp {
namespace {

using test::call_of;
using test::FakeResponse;
using test::request;
using test::Site;

/// The endpoint beside a Site's, on the same server.
struct OldSite {
  Site site;
  SseEndpoint endpoint;

  explicit OldSite(SseEndpointOptions options = {})
      : endpoint(
            site.server,
            [this](std::function<void()> work) -> Status {
              if (site.busy) return Error{ErrorCode::ResourceExhausted, "busy"};
              work();
              return Done{};
            },
            std::move(options)) {}
  ~OldSite() { site.finish(); }
  OldSite(const OldSite&) = delete;
  OldSite& operator=(const OldSite&) = delete;

  std::shared_ptr<FakeResponse> open() {
    HttpRequest http = Site::get("");
    http.target = "/sse";
    http.headers.erase("mcp-session-id");
    const auto response = std::make_shared<FakeResponse>();
    endpoint.open(http, response);
    return response;
  }
  HttpResponse post(HttpRequest http) {
    const auto response = std::make_shared<FakeResponse>();
    endpoint.take(std::move(http), response);
    return response->head();
  }
  HttpResponse post(const std::string& target, const std::string& body) {
    HttpRequest http = Site::post(body);
    http.target = target;
    return post(http);
  }
};

std::string target_of(FakeResponse& stream) {
  const auto event = stream.events(1)[0];
  CHECK(event.name == "endpoint");
  CHECK(event.data.starts_with("/messages?sessionId="));
  return event.data;
}

TEST_CASE("SSE: replies come on the stream", "[mcp][http]") {
  OldSite old;
  const auto stream = old.open();
  CHECK(stream->head().headers.at("content-type") == "text/event-stream");
  const std::string target = target_of(*stream);
  const HttpResponse taken =
      old.post(target, request(0, "initialize", {{"protocolVersion", "2024-11-05"}}));
  CHECK(taken.status == 202);
  CHECK(taken.body.empty());
  const auto opened = stream->events(2)[1];
  CHECK(opened.name == "message");
  CHECK(opened.id.empty());
  CHECK(test::parsed(opened.data)["result"]["protocolVersion"] == "2024-11-05");
  CHECK(old.post(target, R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status ==
        202);
  CHECK(old.post(target, R"({"jsonrpc":"2.0","id":"quiver-1","result":{}})").status == 202);
  CHECK(
      old.post(target + "&more=1", request(1, "tools/call", call_of("steps", Json::object(), "p")))
          .status == 202);
  const auto events = stream->events(6);
  CHECK(test::parsed(events[2].data)["method"] == "notifications/progress");
  CHECK(test::parsed(events[5].data)["id"] == 1);
}

TEST_CASE("SSE: bodies that are no message of the session", "[mcp][http]") {
  OldSite old;
  const auto stream = old.open();
  const std::string target = target_of(*stream);
  CHECK(old.post(target, "garbage").status == 400);
  CHECK(old.post(target, "{}").status == 400);
  CHECK(old.post("/messages", request(1, "ping")).status == 404);
  CHECK(old.post("/messages?sessionId=", request(1, "ping")).status == 404);
  CHECK(old.post("/messages?sessionId=x", request(1, "ping")).status == 404);
  CHECK(
      old.post("/messages?x=1&" + target.substr(target.find('?') + 1), request(1, "ping")).status ==
      202);
  HttpRequest http = Site::post(request(1, "ping"));
  http.target = target;
  http.method = "GET";
  CHECK(old.post(http).status == 405);
  http.method = "POST";
  http.headers["content-type"] = "text/plain";
  CHECK(old.post(http).status == 415);
  http.headers["host"] = "evil.example.com";
  CHECK(old.post(http).status == 403);

  HttpRequest get = Site::get("");
  get.headers["origin"] = "http://evil.example.com";
  const auto evil = std::make_shared<FakeResponse>();
  old.endpoint.open(get, evil);
  CHECK(evil->head().status == 403);
  get.headers.erase("origin");
  get.headers["accept"] = "application/json";
  const auto json = std::make_shared<FakeResponse>();
  old.endpoint.open(get, json);
  CHECK(json->head().status == 406);
  get.method = "POST";
  const auto posted = std::make_shared<FakeResponse>();
  old.endpoint.open(get, posted);
  CHECK(posted->head().status == 405);
}

TEST_CASE("SSE: batches as the handshake agreed", "[mcp][http]") {
  OldSite old;
  const auto stream = old.open();
  const std::string target = target_of(*stream);
  old.post(target, request(0, "initialize", {{"protocolVersion", "2024-11-05"}}));
  const std::string batch = "[" + request(1, "ping") + ",7]";
  CHECK(old.post(target, batch).status == 400);
  old.post(target, request(0, "initialize", {{"protocolVersion", "2025-03-26"}}));
  CHECK(old.post(target, batch).status == 202);
  CHECK(test::parsed(stream->events(4)[3].data).size() == 2);
}

TEST_CASE("SSE: the session ends with its stream", "[mcp][http]") {
  OldSite old;
  const auto stream = old.open();
  const std::string target = target_of(*stream);
  const auto other = old.open();
  CHECK(old.endpoint.sessions() == 2);
  old.post(target, request(1, "tools/call", call_of("hold")));
  REQUIRE(old.site.world.gate.wait_for(1));
  stream->hang_up();
  CHECK(old.endpoint.sessions() == 1);
  CHECK(old.post(target, request(2, "ping")).status == 404);
  // The call was cancelled: it ends though the gate is shut.
  old.site.wait_for_calls();

  const std::string slow = target_of(*other);
  other->stall();
  CHECK(old.post(slow, request(1, "ping")).status == 202);
  CHECK(other->events(1).size() == 1);
}

TEST_CASE("SSE: bounds, and the end of all", "[mcp][http]") {
  SseEndpointOptions options;
  options.sessions_max = 1;
  options.bytes_in_flight_max = 200'000;
  OldSite old(options);
  const auto stream = old.open();
  const std::string target = target_of(*stream);
  CHECK(old.open()->head().status == 503);
  const std::string padding(100'000, ' ');
  CHECK(old.post(target, request(1, "ping") + padding).status == 202);
  CHECK(old.post(target, request(1, "ping") + padding + padding).status == 503);
  old.site.busy = true;
  CHECK(old.post(target, request(1, "ping") + padding).status == 503);
  CHECK(stream->events(2).size() == 2);
  old.endpoint.stop();
  CHECK(stream->has_ended());
  CHECK(old.open()->head().status == 503);
  CHECK(old.post(target, request(2, "ping")).status == 404);
}

}  // namespace
}  // namespace quiver::mcp
