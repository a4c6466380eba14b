// Streamable HTTP without a network: each rung of the ladder by which a POST is judged, in both
// eras, and what the reply is in HTTP and in JSON-RPC.

#include "mcp/http_endpoint.h"

#include <string>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "http_support.h"
#include "mcp/http_headers.h"

namespace quiver::mcp {
namespace {

using test::modern;
using test::request;

using test::Site;

HttpEndpointOptions neighbours() {
  HttpEndpointOptions options;
  options.access = {{"quiver.lan", "other.lan:81"}, {"https://app.example"}};
  return options;
}

TEST_CASE("HttpEndpoint: only hosts and origins that are ours", "[mcp][http]") {
  Site site(neighbours());
  HttpRequest http = Site::in(site.open(), request(1, "ping"));
  for (const char* host : {"localhost", "localhost:7600", "LocalHost:1", "127.0.0.1", "[::1]",
                           "[::1]:65535", "quiver.lan", "QUIVER.lan:9", "other.lan:81"}) {
    http.headers["host"] = host;
    INFO(host);
    CHECK(site.status(http) == 200);
  }
  for (const char* host :
       {"evil.example.com", "evil.example.com:7600", "localhost.evil.example", "127.0.0.1.evil",
        "127.0.0.2", "[::1", "[::1]x", "localhost:", "localhost:port", "localhost:123456", "",
        "other.lan", "other.lan:82", "localhost, localhost", "::1", "user@localhost"}) {
    http.headers["host"] = host;
    INFO(host);
    const HttpResponse refused = site.send(http);
    CHECK(refused.status == 403);
    CHECK(test::parsed(refused.body)["id"].is_null());
  }
  http.headers.erase("host");
  CHECK(site.status(http) == 400);
}

TEST_CASE("HttpEndpoint: origins", "[mcp][http]") {
  Site site(neighbours());
  HttpRequest http = Site::in(site.open(), request(1, "ping"));
  for (const char* origin : {"http://localhost", "http://localhost:6274", "https://127.0.0.1:1",
                             "http://[::1]:3000", "https://app.example"}) {
    http.headers["origin"] = origin;
    INFO(origin);
    CHECK(site.status(http) == 200);
  }
  for (const char* origin :
       {"http://evil.example.com", "https://localhost.evil.example", "null", "file://", "",
        "http://app.example", "https://app.example:444", "http://localhost/path", "localhost"}) {
    http.headers["origin"] = origin;
    INFO(origin);
    CHECK(site.status(http) == 403);
  }
}

TEST_CASE("HttpEndpoint: an evil page is turned away before its body is looked at", "[mcp][http]") {
  Site site;
  HttpRequest http = Site::post("not JSON");
  http.method = "GET";
  http.headers["origin"] = "http://evil.example.com";
  CHECK(site.status(http) == 403);
}

TEST_CASE("HttpEndpoint: methods", "[mcp][http]") {
  Site site;
  const std::string session = site.open();
  for (const char* method : {"PUT", "OPTIONS", "HEAD", "post", "PATCH"}) {
    HttpRequest http = Site::in(session, request(1, "ping"));
    http.method = method;
    const HttpResponse refused = site.send(http);
    CHECK(refused.status == 405);
    CHECK(refused.headers.at("allow") == "POST, GET, DELETE");
  }
  // The modern era has neither sessions nor streams of their own.
  for (const char* method : {"GET", "DELETE"}) {
    HttpRequest http = Site::get(session);
    http.method = method;
    http.headers["mcp-protocol-version"] = "2026-07-28";
    const HttpResponse refused = site.send(http);
    CHECK(refused.status == 405);
    CHECK(refused.headers.at("allow") == "POST");
  }
  CHECK(site.status(Site::in(session, request(1, "ping"))) == 200);
}

TEST_CASE("HttpEndpoint: content types", "[mcp][http]") {
  Site site;
  HttpRequest http = Site::in(site.open(), request(1, "ping"));
  for (const char* type :
       {"application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"}) {
    http.headers["content-type"] = type;
    CHECK(site.status(http) == 200);
  }
  for (const char* type : {"text/plain", "application/jsonp", "application/json, text/plain", "",
                           "application/x-www-form-urlencoded", "application/json-rpc"}) {
    http.headers["content-type"] = type;
    INFO(type);
    CHECK(site.status(http) == 415);
  }
  http.headers.erase("content-type");
  CHECK(site.status(http) == 415);
}

TEST_CASE("HttpEndpoint: what a client must accept", "[mcp][http]") {
  Site site;
  HttpRequest http = Site::in(site.open(), request(1, "ping"));
  for (const char* accept :
       {"*/*", "application/json", "application/*;q=0.1", "text/html, APPLICATION/json;q=0.5",
        "application/json, */*;q=0", "application/*;q=0, application/json"}) {
    http.headers["accept"] = accept;
    CHECK(site.status(http) == 200);
  }
  for (const char* accept : {"text/html", "", "image/*, text/plain", ",", ";q=1",
                             "application/json;q=0", "application/json; q=0.000, text/plain"}) {
    http.headers["accept"] = accept;
    CHECK(site.status(http) == 406);
  }
  http.headers.erase("accept");
  CHECK(site.status(http) == 200);
}

TEST_CASE("accepted_forms: the most specific range decides, and a weight of 0 is a no",
          "[mcp][http]") {
  const auto forms = [](const char* accept) {
    const Accepted found = accepted_forms(accept);
    return std::pair(found.json, found.events);
  };
  CHECK(forms("application/json;q=0, */*") == std::pair(false, true));
  CHECK(forms("*/*, application/json ; Q=0.0") == std::pair(false, true));
  CHECK(forms("*/*;q=0, text/event-stream") == std::pair(false, true));
  CHECK(forms("application/json;v=1;q=0.01") == std::pair(true, false));
  CHECK(forms("text/*;q=0, text/event-stream;q=1, application/json") == std::pair(true, true));
}

TEST_CASE("HttpEndpoint: bodies that are no message", "[mcp][http]") {
  Site site;
  CHECK(site.status(Site::post("garbage")) == 400);
  CHECK(site.error(Site::post("garbage")) == -32700);
  CHECK(site.error(Site::post("")) == -32700);
  CHECK(site.error(Site::post(R"({"jsonrpc":"2.0","id":1)")) == -32700);
  CHECK(site.status(Site::post(R"({"id":1,"method":"ping"})")) == 400);
  CHECK(site.error(Site::post(R"({"id":1,"method":"ping"})")) == -32600);
  CHECK(site.error(Site::post(std::string(100, '[') + std::string(100, ']'))) == -32600);
  CHECK(site.status(Site::post(std::string(limits::kMessageBytesMax + 1, ' '))) == 413);
}

TEST_CASE("HttpEndpoint: a modern request whose headers say what its body says", "[mcp][http]") {
  Site site;
  const HttpResponse found = site.send(Site::modern_post("d", "server/discover"));
  CHECK(found.status == 200);
  CHECK(test::parsed(found.body)["result"]["resultType"] == "complete");
  const HttpResponse called = site.send(
      Site::modern_post(1, "tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}}));
  CHECK(called.status == 200);
  CHECK(test::parsed(called.body)["result"]["structuredContent"] == Json{{"text", "x"}});
  // A session id is nothing to the modern era.
  HttpRequest with_session = Site::modern_post(1, "tools/list");
  with_session.headers["mcp-session-id"] = "old";
  with_session.headers["last-event-id"] = "7";
  CHECK(site.status(with_session) == 200);
  // What a tool says is no error of HTTP.
  CHECK(site.status(Site::modern_post(1, "tools/call", {{"name", "fail"}})) == 200);
  CHECK(site.status(Site::modern_post(1, "tools/call", {{"name", "unheard_of"}})) == 200);
}

TEST_CASE("HttpEndpoint: a modern request whose headers say something else", "[mcp][http]") {
  Site site;
  const HttpRequest good = Site::modern_post(1, "tools/call", {{"name", "echo"}});
  CHECK(site.status(good) == 200);
  struct Case {
    const char* header;
    const char* value;  // null: absent
  };
  for (const Case bad :
       {Case{"mcp-protocol-version", nullptr}, Case{"mcp-protocol-version", "2025-11-25"},
        Case{"mcp-protocol-version", "2027-01-01"}, Case{"mcp-method", nullptr},
        Case{"mcp-method", "tools/list"}, Case{"mcp-method", "Tools/Call"},
        Case{"mcp-method", "tools/call, tools/call"}, Case{"mcp-name", nullptr},
        Case{"mcp-name", "Echo"}, Case{"mcp-name", ""}, Case{"mcp-name", "=?base64?ZWNob?="},
        Case{"mcp-name", "=?base64?ZWNobw?="}, Case{"mcp-name", "=?base64?ZWNob1==?="},
        Case{"mcp-name", "=?base64?/w==?="}, Case{"mcp-name", "=?BASE64?ZWNobw==?="},
        Case{"mcp-name", "\xc3\xa9"}}) {
    HttpRequest http = good;
    if (bad.value == nullptr) {
      http.headers.erase(bad.header);
    } else {
      http.headers[bad.header] = bad.value;
    }
    INFO(bad.header << ": " << (bad.value == nullptr ? "absent" : bad.value));
    CHECK(site.status(http) == 400);
    CHECK(site.error(http) == -32020);
    CHECK(test::parsed(site.send(http).body)["id"] == 1);
  }
  HttpRequest encoded = good;
  encoded.headers["mcp-name"] = "=?base64?ZWNobw==?=";
  CHECK(site.status(encoded) == 200);
  HttpRequest spaced = good;
  spaced.headers["mcp-name"] = " \techo ";
  spaced.headers["mcp-method"] = " tools/call";
  CHECK(site.status(spaced) == 200);
  HttpRequest nameless = Site::modern_post(1, "tools/call");
  nameless.headers["mcp-name"] = "echo";
  CHECK(site.error(nameless) == -32020);
}

TEST_CASE("HttpEndpoint: modern faults have a status of their own", "[mcp][http]") {
  Site site;
  for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                             "prompts/list", "nonsense"}) {
    const HttpRequest http = Site::modern_post(1, method);
    CHECK(site.status(http) == 404);
    CHECK(site.error(http) == -32601);
  }
  HttpRequest unsupported = Site::post(modern(
      1, "tools/list", {{"_meta", {{"io.modelcontextprotocol/protocolVersion", "1900-01-01"}}}}));
  unsupported.headers["mcp-protocol-version"] = "1900-01-01";
  unsupported.headers["mcp-method"] = "tools/list";
  CHECK(site.status(unsupported) == 400);
  CHECK(site.error(unsupported) == -32022);

  Json meta = test::modern_meta();
  meta.erase("io.modelcontextprotocol/clientCapabilities");
  HttpRequest incomplete = Site::post(request(1, "tools/list", {{"_meta", meta}}));
  incomplete.headers["mcp-protocol-version"] = "2026-07-28";
  incomplete.headers["mcp-method"] = "tools/list";
  CHECK(site.status(incomplete) == 400);
  CHECK(site.error(incomplete) == -32602);

  HttpRequest unclaimed = Site::post(request(1, "tools/list"));
  unclaimed.headers["mcp-protocol-version"] = "2026-07-28";
  CHECK(site.status(unclaimed) == 400);
  const Json fault = test::parsed(site.send(unclaimed).body)["error"];
  CHECK(fault["code"] == -32602);
  CHECK(fault["message"] ==
        "params._meta lacks io.modelcontextprotocol/protocolVersion, "
        "io.modelcontextprotocol/clientCapabilities");
  // The method alone makes it modern.
  CHECK(site.status(Site::post(request(1, "server/discover"))) == 400);
}

TEST_CASE("HttpEndpoint: modern notifications are taken, responses are not", "[mcp][http]") {
  Site site;
  HttpRequest told = Site::post(
      Json{{"jsonrpc", "2.0"}, {"method", "n"}, {"params", {{"_meta", test::modern_meta()}}}}
          .dump());
  told.headers["mcp-protocol-version"] = "2026-07-28";
  CHECK(site.status(told) == 202);
  told.body = R"({"jsonrpc":"2.0","method":"n"})";
  CHECK(site.status(told) == 202);
  told.body = R"({"jsonrpc":"2.0","method":"n","params":{"_meta":)"
              R"({"io.modelcontextprotocol/protocolVersion":"1900-01-01"}}})";
  CHECK(site.status(told) == 400);
  told.body = R"({"jsonrpc":"2.0","id":1,"result":{}})";
  CHECK(site.status(told) == 400);
}

TEST_CASE("http_headers: encoded values", "[mcp][http]") {
  // The examples of the specification.
  CHECK(decode_header("us-west1") == "us-west1");
  CHECK(decode_header("=?base64?SGVsbG8sIOS4lueVjA==?=") == "Hello, \xe4\xb8\x96\xe7\x95\x8c");
  CHECK(decode_header("=?base64?IHBhZGRlZCA=?=") == " padded ");
  CHECK(decode_header("=?base64?bGluZTEKbGluZTI=?=") == "line1\nline2");
  CHECK(decode_header("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=") == "=?base64?literal?=");
  CHECK(decode_header("=?base64?"
                      "?=") == "");
  CHECK(decode_header("=?base64?A?=") == std::nullopt);
  CHECK(decode_header("=?base64?====?=") == std::nullopt);
  CHECK(decode_header("a\x01") == std::nullopt);
}

}  // namespace
}  // namespace quiver::mcp
