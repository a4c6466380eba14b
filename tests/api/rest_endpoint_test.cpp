// Requests to REST: what reaches the executor, and every way to be refused before.

#include "api/rest/rest_endpoint.h"

#include <cstring>
#include <string>

#include "site.h"

namespace quiver::api {
namespace {

using Catch::Matchers::Contains;
using test::detail_of;
using test::problem_of;
using test::request;
using test::Site;
using test::with_header;

TEST_CASE("REST: a request becomes a call of its operation, and the answer its body", "[api]") {
  Site site;
  site.executor.answer = Json{{"hits", Json::array()}, {"note", "caf\u00e9"}};
  const auto response = site.send("POST", "/api/v1/collections/my%20docs/search",
                                  R"({"query":"caf\u00e9","limit":3})");
  CHECK(response.status == 200);
  CHECK(response.headers.at("content-type") == "application/json");
  CHECK(Json::parse(response.body) == *site.executor.answer);
  REQUIRE(site.executor.asked.size() == 1);
  const auto& asked = site.executor.asked.front();
  CHECK(asked.operation == "memory_search");
  CHECK(asked.arguments == Json{{"collection", "my docs"}, {"query", "caf\u00e9"}, {"limit", 3}});
}

TEST_CASE("REST: fields come from the path, the query, or the body", "[api]") {
  Site site;
  const auto arguments = [&](const char* method, const char* target, const char* body = "") {
    INFO(method << ' ' << target);
    CHECK(site.send(method, target, body).status == 200);
    const auto last = site.executor.asked.back();
    return Json{{"operation", last.operation}, {"arguments", last.arguments}};
  };
  const auto call = [](const char* operation, Json fields) {
    return Json{{"operation", operation}, {"arguments", std::move(fields)}};
  };
  CHECK(arguments("GET", "/api/v1/collections?limit=7") == call("collection_list", {{"limit", 7}}));
  CHECK(arguments("HEAD", "/api/v1/collections") == call("collection_list", Json::object()));
  CHECK(arguments("PUT", "/api/v1/collections/docs", R"({"dimension":3})") ==
        call("collection_create", {{"name", "docs"}, {"dimension", 3}}));
  CHECK(arguments("PUT", "/api/v1/collections/docs") ==
        call("collection_create", {{"name", "docs"}}));
  CHECK(arguments("DELETE", "/api/v1/collections/docs?confirm=docs") ==
        call("collection_delete", {{"collection", "docs"}, {"confirm", "docs"}}));
  CHECK(arguments("GET", "/api/v1/cluster/nodes") == call("cluster_list_nodes", Json::object()));
  CHECK(arguments("GET", "/api/v1/cluster/nodes/%C3%A4%2F1") ==
        call("cluster_list_nodes", {{"node_id", "\u00e4/1"}}));
  CHECK(arguments("POST", "/api/v1/cluster/rebalance", R"({"dry_run":true})") ==
        call("cluster_rebalance", {{"dry_run", true}}));
}

TEST_CASE("REST: the call knows its time, its client and its write", "[api]") {
  Site site;
  const auto begun = std::chrono::steady_clock::now();
  const std::string key = "00112233-4455-6677-8899-aabbccddeeff";
  const auto keyed = [&](HttpRequest http) {
    return with_header(std::move(http), "idempotency-key", key);
  };
  const std::string create = "/api/v1/collections/docs";
  site.send(keyed(request("PUT", create)));
  const RequestId named = site.executor.asked.back().context.request_id;
  CHECK_FALSE(named.empty());
  // Without a key each write is one of its own.
  site.send("PUT", create);
  const RequestId first = site.executor.asked.back().context.request_id;
  site.send("PUT", create);
  CHECK_FALSE(first.empty());
  CHECK(first != site.executor.asked.back().context.request_id);
  // Reads have none.
  site.send(keyed(request("GET", "/api/v1/collections")));
  CHECK(site.executor.asked.back().context.request_id.empty());
  REQUIRE(site.executor.asked.back().context.deadline);
  CHECK(*site.executor.asked.back().context.deadline >= begun + std::chrono::seconds(60));
  site.send(with_header(request("GET", "/api/v1/collections"), "request-timeout", "30"));
  CHECK(*site.executor.asked.back().context.deadline <=
        std::chrono::steady_clock::now() + std::chrono::seconds(30));

  CHECK_FALSE(site.executor.asked.back().context.cancel.cancelled());
  const auto responder = site.begin(request("GET", "/api/v1/collections"));
  REQUIRE(responder->gone);
  responder->gone();
  site.work();
  // Cancelled before it began: nobody is asked.
  CHECK(site.executor.asked.size() == 5);
  // The same write has the same id, for this server and the next one.
  site.send(keyed(request("PUT", create)));
  CHECK(site.executor.asked.back().context.request_id == named);
  Site other;
  other.send(keyed(request("PUT", create)));
  CHECK(other.executor.asked.back().context.request_id == named);
  CHECK(problem_of(*responder->response, 504).at("code") == "deadline_exceeded");
}

TEST_CASE("REST: a key that was used for another request is refused", "[api]") {
  Site site;
  const auto keyed = [&](HttpRequest http) {
    return with_header(std::move(http), "idempotency-key", "00112233445566778899aabbccddeeff");
  };
  const std::string points = "/api/v1/collections/docs/points";
  const std::string one = R"({"points": [{"id": 1, "vector": [1, 0]}]})";
  const std::string two = R"({"points": [{"id": 2, "vector": [1, 0]}]})";
  CHECK(site.send(keyed(request("POST", points, one))).status == 200);
  const auto asked = site.executor.asked.size();
  for (const auto& other :
       {request("POST", points, two), request("POST", "/api/v1/collections/notes/points", one),
        request("POST", "/api/v1/collections/docs/memories/delete", R"({"ids": [1]})"),
        request("PUT", "/api/v1/collections/docs"),
        request("DELETE", "/api/v1/collections/docs")}) {
    const Json body = problem_of(site.send(keyed(other)), 422);
    CHECK(body.at("code") == "invalid_argument");
    CHECK(body.at("title") == "Unprocessable Content");
    CHECK_THAT(body.at("detail").get<std::string>(), Contains("was used for another request"));
  }
  CHECK(site.executor.asked.size() == asked);
  // Written otherwise, it is still the same request.
  CHECK(
      site.send(keyed(request("POST", points, R"({"points":[{"vector":[1,0],"id":1}]})"))).status ==
      200);
  CHECK(site.executor.asked[asked].context.request_id ==
        site.executor.asked[asked - 1].context.request_id);
  // Reads take no notice of keys.
  CHECK(site.send(keyed(request("GET", "/api/v1/collections"))).status == 200);
}

TEST_CASE("REST: a key whose request changed nothing is free for the corrected one", "[api]") {
  Site site;
  const std::string create = "/api/v1/collections/docs";
  const auto send = [&](const std::string& body) {
    return site.send(with_header(request("PUT", create, body), "idempotency-key",
                                 "00112233445566778899aabbccddeeff"));
  };
  site.executor.answer = Error{ErrorCode::InvalidArgument, "dimension: too small"};
  problem_of(send(R"({"dimension": 1})"), 400);
  // Who can say what became of this one?
  site.executor.answer = Error{ErrorCode::DeadlineExceeded, "out of time"};
  problem_of(send(R"({"dimension": 2})"), 504);
  problem_of(send(R"({"dimension": 3})"), 422);
  // A failed repetition does not undo the first.
  site.executor.answer = Json{{"done", true}};
  CHECK(send(R"({"dimension": 2})").status == 200);
  site.executor.answer = Error{ErrorCode::NotFound, "gone"};
  problem_of(send(R"({"dimension": 2})"), 404);
  problem_of(send(R"({"dimension": 3})"), 422);
}

TEST_CASE("UsedKeys: the oldest are forgotten", "[api]") {
  UsedKeys keys;
  const auto id = [](std::uint64_t number) {
    RequestId made;
    std::memcpy(made.bytes.data(), &number, sizeof(number));
    return made;
  };
  for (std::uint64_t i = 1; i <= UsedKeys::kMost; ++i) {
    REQUIRE(keys.use(id(i), id(1)) == UsedKeys::Use::First);
  }
  CHECK(keys.use(id(2), id(1)) == UsedKeys::Use::Again);
  CHECK(keys.use(id(2), id(9)) == UsedKeys::Use::Other);
  CHECK(keys.use(id(1), id(9)) == UsedKeys::Use::First);
  keys.free(id(1));
  CHECK(keys.use(id(1), id(7)) == UsedKeys::Use::First);
}

TEST_CASE("REST: failures are problems by the one table", "[api]") {
  Site site;
  struct Case {
    ErrorCode code;
    int status;
    bool retryable;
  };
  for (const auto& [code, status, retryable] :
       {Case{ErrorCode::InvalidArgument, 400, false}, Case{ErrorCode::NotFound, 404, false},
        Case{ErrorCode::AlreadyExists, 409, false}, Case{ErrorCode::FailedPrecondition, 412, false},
        Case{ErrorCode::PermissionDenied, 403, false},
        Case{ErrorCode::ResourceExhausted, 429, true}, Case{ErrorCode::WrongOwner, 503, true},
        Case{ErrorCode::Unavailable, 503, true}, Case{ErrorCode::DeadlineExceeded, 504, true},
        Case{ErrorCode::Corruption, 500, false}, Case{ErrorCode::Internal, 500, false}}) {
    site.executor.answer = Error{code, "why \xff"};
    const auto response = site.send("GET", "/api/v1/collections");
    const Json body = problem_of(response, status);
    CHECK(body.at("code") == std::string(traits(code).name));
    CHECK(body.at("retryable") == retryable);
    CHECK(body.at("detail") == "why \ufffd");
    CHECK(response.headers.contains("retry-after") == retryable);
  }
}

TEST_CASE("REST: a server that is busy says so", "[api]") {
  Site site;
  site.busy = Error{ErrorCode::ResourceExhausted, "256 calls wait"};
  const auto response = site.send("GET", "/api/v1/collections");
  CHECK(detail_of(response, 429) == "256 calls wait");
  CHECK(response.headers.at("retry-after") == "1");
  site.busy = Error{ErrorCode::Unavailable, "the server is stopping"};
  problem_of(site.send("GET", "/api/v1/collections"), 503);
  CHECK(site.executor.asked.empty());
}

TEST_CASE("REST: what is not there", "[api]") {
  Site site;
  for (const char* path :
       {"/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/collections", "/api/v1/collections/",
        "/api/v1/collections/a/b", "/api/v1/cluster", "/api/v1/openapi.json/x"}) {
    INFO(path);
    CHECK_THAT(detail_of(site.send("GET", path), 404),
               Contains(path) && Contains("/api/v1/openapi.json"));
  }
  const auto response = site.send("PATCH", "/api/v1/cluster/nodes");
  CHECK(detail_of(response, 405) == "allowed methods: GET, POST, HEAD");
  CHECK(response.headers.at("allow") == "GET, POST, HEAD");
  CHECK(site.send("OPTIONS", "/api/v1/cluster/rebalance").headers.at("allow") == "POST");
  CHECK(site.send("POST", "/api/v1/openapi.json").headers.at("allow") == "GET, HEAD");
  CHECK(site.send("HEAD", "/api/v1/cluster/rebalance").status == 405);
  CHECK_THAT(detail_of(site.send("GET", "/api/v1/collections/%ff"), 400), Contains("UTF-8"));
  CHECK(site.executor.asked.empty());
}

TEST_CASE("REST: bodies are checked before anything is done", "[api]") {
  Site site({}, [](RestOptions& options) { options.body_bytes_max = 40; });
  const std::string search = "/api/v1/collections/docs/search";
  const auto detail = [&](const std::string& body, int status = 400) {
    return detail_of(site.send("POST", search, body), status);
  };
  CHECK_THAT(detail("{\"query\":"), Contains("body: not valid JSON: unexpected at byte"));
  CHECK_THAT(detail("{} {}"), Contains("body: not valid JSON"));
  CHECK_THAT(detail("\xff"), Contains("body: not valid UTF-8"));
  CHECK_THAT(detail(R"({"a":1,"a":2})"), Contains("appears twice"));
  CHECK_THAT(detail("{\"a\":99999999999999999999}"), Contains("body: "));
  CHECK_THAT(detail("[1]"), Contains("body: expected an object, got array"));
  CHECK_THAT(detail(R"({"collection":"x"})"), Contains("collection: the path has it"));
  CHECK_THAT(detail(std::string(41, ' '), 413), Contains("41 bytes, 40 bytes max"));

  auto typed = request("POST", search, "{}");
  typed.headers["content-type"] = "text/plain";
  CHECK_THAT(detail_of(site.send(typed), 415), Contains("Content-Type: must be application/json"));
  typed.headers.erase("content-type");
  problem_of(site.send(typed), 415);
  typed.headers["content-type"] = "application/json; charset=utf-8";
  typed.headers["content-encoding"] = "gzip";
  CHECK_THAT(detail_of(site.send(typed), 415), Contains("Content-Encoding"));
  CHECK(site.executor.asked.empty());
  typed.headers["content-encoding"] = "Identity";
  CHECK(site.send(typed).status == 200);

  CHECK_THAT(detail_of(site.send("DELETE", "/api/v1/collections/docs", "{}"), 400),
             Contains("DELETE takes no body"));
  CHECK_THAT(detail_of(site.send("GET", "/api/v1/collections", "{}"), 400),
             Contains("GET takes no body; give its fields as query parameters"));
}

TEST_CASE("REST: the memory of all bodies is bounded", "[api]") {
  const auto memory = std::make_shared<InFlight>(std::size_t{1} << 20);
  Site site({}, [&](RestOptions& options) { options.json_memory = memory; });
  const std::string points = "/api/v1/collections/docs/points";
  const std::string small = R"({"points": [{"id": 1, "vector": [1, 0]}]})";
  auto held = memory->take((std::size_t{1} << 20) - 1000);
  const auto busy = site.send("POST", points, small);
  CHECK(problem_of(busy, 429).at("code") == "resource_exhausted");
  CHECK(busy.headers.contains("retry-after"));
  CHECK(site.executor.asked.empty());
  // What has no body takes none.
  CHECK(site.send("GET", "/api/v1/collections").status == 200);
  held.reset();
  CHECK(site.send("POST", points, small).status == 200);
  // It was given back.
  CHECK(memory->take(std::size_t{1} << 20));
  // What grows on being read needs more than there ever is.
  std::string zeros = "{\"points\":[0";
  for (int i = 0; i < 60'000; ++i) zeros += ",0";
  CHECK(problem_of(site.send("POST", points, zeros + "]}"), 429).at("retryable") == true);
}

TEST_CASE("REST: headers are checked before anything is done", "[api]") {
  Site site;
  const auto list = request("GET", "/api/v1/collections");
  CHECK_THAT(detail_of(site.send(with_header(list, "accept", "text/html")), 406),
             Contains("Accept"));
  CHECK_THAT(detail_of(site.send(with_header(list, "idempotency-key", "x")), 400),
             Contains("Idempotency-Key"));
  CHECK_THAT(detail_of(site.send(with_header(list, "request-timeout", "0")), 400),
             Contains("Request-Timeout"));
  CHECK(site.executor.asked.empty());
}

TEST_CASE("REST: the same callers as everywhere", "[api]") {
  Site site({}, [](RestOptions& options) {
    options.access = {{"quiver.example"}, {"https://app.example"}};
  });
  const auto list = request("GET", "/api/v1/collections");
  auto nameless = list;
  nameless.headers.erase("host");
  CHECK(problem_of(site.send(nameless), 400).at("code") == "invalid_argument");
  CHECK(problem_of(site.send(with_header(list, "host", "evil.example")), 403).at("code") ==
        "permission_denied");
  problem_of(site.send(with_header(list, "origin", "https://evil.example")), 403);
  CHECK(site.executor.asked.empty());
  CHECK(site.send(with_header(list, "host", "quiver.example")).status == 200);

  const auto page = site.send(with_header(list, "origin", "https://app.example"));
  CHECK(page.status == 200);
  CHECK(page.headers.at("access-control-allow-origin") == "https://app.example");
  auto before =
      with_header(request("OPTIONS", "/api/v1/cluster/rebalance"), "origin", "https://app.example");
  before.headers["access-control-request-method"] = "POST";
  before.headers["access-control-request-headers"] = "content-type, idempotency-key, x-other";
  const auto allowed = site.send(before);
  CHECK(allowed.status == 204);
  CHECK(allowed.headers.at("access-control-allow-headers") == "content-type, idempotency-key");
  CHECK(allowed.headers.at("access-control-allow-methods") == "GET, HEAD, POST, PUT, DELETE");
}

TEST_CASE("REST: what a setting takes away is refused by its name", "[api]") {
  Site reading([](service::Selection& selection) {
    selection.read_only = true;
    selection.tools["collection_list"].enabled = false;
  });
  const auto write = reading.send("PUT", "/api/v1/collections/docs");
  CHECK(problem_of(write, 403).at("code") == "permission_denied");
  CHECK(detail_of(write, 403) ==
        "operation collection_create is switched off: mcp.read_only is true");
  CHECK_THAT(detail_of(reading.send("GET", "/api/v1/collections"), 403),
             Contains("mcp.tools.collection_list.enabled is false"));
  CHECK(reading.executor.asked.empty());
  CHECK(reading.send("GET", "/api/v1/collections/docs").status == 200);
}

TEST_CASE("REST: which route a request counts for", "[api]") {
  Site site;
  const auto route = [&](const char* method, const char* target) {
    return site.endpoint.route_of(request(method, target));
  };
  CHECK(route("GET", "/api/v1/collections/a?x=%zz") == "/api/v1/collections/{collection}");
  CHECK(route("PUT", "/api/v1/collections/a") == "/api/v1/collections/{name}");
  CHECK(route("HEAD", "/api/v1/cluster/nodes/n") == "/api/v1/cluster/nodes/{node_id}");
  CHECK(route("GET", "/api/v1/openapi.json?x") == "/api/v1/openapi.json");
  CHECK(route("GET", "/api/v1/nothing").empty());
  CHECK(route("GET", "/api/v1/%ff").empty());
  CHECK(RestEndpoint::serves("/api"));
  CHECK(RestEndpoint::serves("/api/x"));
  CHECK_FALSE(RestEndpoint::serves("/apis"));
}

}  // namespace
}  // namespace quiver::api
