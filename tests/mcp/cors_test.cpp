// Which pages may read answers, by HTTP and by HTTP+SSE.

#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "http_support.h"
#include "mcp/sse_endpoint.h"

namespace quiver::mcp {
namespace {

using test::FakeResponse;
using test::Site;

constexpr const char* kPage = "https://app.example";
constexpr const char* kAllow = "access-control-allow-origin";

HttpEndpointOptions for_page() {
  HttpEndpointOptions options;
  options.access.allowed_origins = {kPage};
  return options;
}

HttpRequest from(const std::string& origin, HttpRequest http) {
  http.headers["origin"] = origin;
  return http;
}

HttpRequest ask_before(const std::string& origin, const std::string& headers) {
  HttpRequest http{"OPTIONS", "/mcp", {{"host", "localhost"}}, ""};
  http.headers["access-control-request-method"] = "POST";
  if (!headers.empty()) http.headers["access-control-request-headers"] = headers;
  return from(origin, http);
}

bool mentions_cors(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name.starts_with("access-control-")) return true;
  }
  return false;
}

TEST_CASE("CORS: a page of an allowed origin may ask, call, and read the session", "[mcp][http]") {
  Site site(for_page());
  const HttpResponse before = site.send(
      ask_before(kPage, "content-type, Mcp-Protocol-Version,mcp-param-region, x-evil,mcp-param-"));
  CHECK(before.status == 204);
  CHECK(before.body.empty());
  CHECK(before.headers.at(kAllow) == kPage);
  CHECK(before.headers.at("access-control-allow-methods") == "POST, GET, DELETE");
  CHECK(before.headers.at("access-control-allow-headers") ==
        "content-type, mcp-protocol-version, mcp-param-region");
  CHECK(before.headers.at("vary") == "Origin, Access-Control-Request-Headers");
  CHECK_FALSE(before.headers.contains("access-control-allow-private-network"));
  HttpRequest near = ask_before(kPage, "");
  near.headers["access-control-request-private-network"] = "true";
  const HttpResponse local = site.send(near);
  CHECK(local.headers.at("access-control-allow-private-network") == "true");
  CHECK_FALSE(local.headers.contains("access-control-allow-headers"));

  const HttpResponse begun = site.send(
      from(kPage, Site::post(test::request(1, "initialize", {{"protocolVersion", "2025-11-25"}}))));
  CHECK(begun.status == 200);
  CHECK(begun.headers.contains("mcp-session-id"));
  CHECK(begun.headers.at(kAllow) == kPage);
  CHECK(begun.headers.at("vary") == "Origin");
  CHECK_THAT(begun.headers.at("access-control-expose-headers"), Catch::Contains("Mcp-Session-Id"));
  const auto stream = site.begin(from(kPage, Site::get(begun.headers.at("mcp-session-id"))));
  CHECK(stream->head().headers.at(kAllow) == kPage);
  CHECK(stream->is_stream());
  // A refusal is to be read as well.
  CHECK(site.send(from(kPage, Site::post("{"))).headers.at(kAllow) == kPage);
}

TEST_CASE("CORS: nobody else is told anything", "[mcp][http]") {
  Site site(for_page());
  const HttpResponse evil = site.send(ask_before("https://evil.example", "content-type"));
  CHECK(evil.status == 403);
  CHECK_FALSE(mentions_cors(evil));
  // May call, but is not listed.
  const HttpResponse local = site.send(ask_before("http://localhost:3000", "content-type"));
  CHECK(local.status == 405);
  CHECK_FALSE(mentions_cors(local));
  const HttpResponse listed =
      site.send(from("http://localhost:3000", Site::modern_post(1, "tools/list")));
  CHECK(listed.status == 200);
  CHECK_FALSE(mentions_cors(listed));
  CHECK_FALSE(mentions_cors(site.send(Site::modern_post(1, "tools/list"))));
  // OPTIONS that asks for no permission.
  HttpRequest plain = ask_before(kPage, "");
  plain.headers.erase("access-control-request-method");
  CHECK(site.status(plain) == 405);
}

TEST_CASE("CORS: HTTP+SSE", "[mcp][http]") {
  Site site;
  SseEndpointOptions options;
  options.access.allowed_origins = {kPage};
  SseEndpoint endpoint(site.server, test::inline_work, options);
  const auto opened = std::make_shared<FakeResponse>();
  HttpRequest get{"GET", "/sse", {{"host", "localhost"}, {"accept", "text/event-stream"}}, ""};
  endpoint.open(from(kPage, get), opened);
  CHECK(opened->head().headers.at(kAllow) == kPage);
  for (const bool posts : {false, true}) {
    const auto asked = std::make_shared<FakeResponse>();
    if (posts) {
      endpoint.take(ask_before(kPage, "content-type"), asked);
    } else {
      endpoint.open(ask_before(kPage, "content-type"), asked);
    }
    CHECK(asked->head().status == 204);
    CHECK(asked->head().headers.at("access-control-allow-methods") == (posts ? "POST" : "GET"));
  }
  const auto refused = std::make_shared<FakeResponse>();
  endpoint.take(ask_before("https://evil.example", ""), refused);
  CHECK(refused->head().status == 403);
}

}  // namespace
}  // namespace quiver::mcp
