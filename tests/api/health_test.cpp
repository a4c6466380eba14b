// What probes and Prometheus are answered.

#include "api/rest/health.h"

#include <deque>

#include "site.h"

namespace quiver::api {
namespace {

using test::FakeResponder;
using test::problem_of;
using test::request;
using test::with_header;

struct Reports {
  HealthEndpoint endpoint{{"1.2.3", [this] { return ready; }, [] { return "figure 1\n"; }},
                          [this](std::function<void()> work) -> Status {
                            if (busy) return *busy;
                            waiting.push_back(std::move(work));
                            return Done{};
                          },
                          {{"metrics.example"}, {"https://app.example"}}};
  Result<Readiness> ready = Readiness{};
  std::optional<Error> busy;
  std::deque<std::function<void()>> waiting;

  HttpResponse send(const HttpRequest& http) {
    const auto responder = std::make_shared<FakeResponder>();
    endpoint.handle(http, responder);
    for (; !waiting.empty(); waiting.pop_front()) waiting.front()();
    REQUIRE(responder->response);
    return *responder->response;
  }
};

TEST_CASE("health: a process that answers lives, whatever else is wrong", "[api]") {
  Reports reports;
  reports.ready = Error{ErrorCode::Corruption, "the catalogue is damaged"};
  reports.busy = Error{ErrorCode::ResourceExhausted, "busy"};
  const auto response = reports.send(request("GET", "/healthz?verbose=1"));
  CHECK(response.status == 200);
  CHECK(Json::parse(response.body) == Json{{"status", "ok"}, {"version", "1.2.3"}});
  CHECK(response.headers.at("content-type") == "application/json");
  CHECK(reports.send(request("HEAD", "/healthz")).status == 200);
}

TEST_CASE("health: ready once it can serve, else 503 with the reason", "[api]") {
  Reports reports;
  const auto ready = reports.send(request("GET", "/readyz"));
  CHECK(ready.status == 200);
  CHECK(Json::parse(ready.body).at("status") == "ready");
  CHECK(ready.headers.at("cache-control") == "no-store");

  reports.ready = Readiness{"the store is away"};
  const auto reads = reports.send(request("GET", "/readyz"));
  CHECK(reads.status == 200);
  CHECK(Json::parse(reads.body) ==
        Json{{"status", "reads_only"}, {"reason", "the store is away"}, {"version", "1.2.3"}});

  reports.ready = Error{ErrorCode::Corruption, "the catalogue is damaged"};
  const auto damaged = reports.send(request("GET", "/readyz"));
  const Json problem = problem_of(damaged, 503);
  CHECK(problem.at("detail") == "the catalogue is damaged");
  CHECK(problem.at("code") == "corruption");
  CHECK(damaged.headers.at("retry-after") == "1");

  CHECK(problem.at("retryable") == false);
  reports.ready = Error{ErrorCode::Unavailable, "it has not joined its cluster yet"};
  const auto joining = reports.send(request("GET", "/readyz"));
  CHECK(problem_of(joining, 503).at("retryable") == true);
  CHECK(joining.headers.at("retry-after") == "1");

  reports.busy = Error{ErrorCode::ResourceExhausted, "too many wait"};
  CHECK(problem_of(reports.send(request("GET", "/readyz")), 503).at("detail") == "too many wait");
}

TEST_CASE("health: figures come as Prometheus reads them", "[api]") {
  Reports reports;
  const auto response = reports.send(request("GET", "/metrics"));
  CHECK(response.status == 200);
  CHECK(response.body == "figure 1\n");
  CHECK(response.headers.at("content-type") == "text/plain; version=0.0.4; charset=utf-8");
}

TEST_CASE("health: only GET and HEAD", "[api]") {
  Reports reports;
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    const auto response = reports.send(request("POST", path));
    problem_of(response, 405);
    CHECK(response.headers.at("allow") == "GET, HEAD");
  }
}

TEST_CASE("health: probes name the server as they like, others do not", "[api]") {
  Reports reports;
  const auto under = [](const char* path, const char* host) {
    return with_header(request("GET", path), "host", host);
  };
  CHECK(reports.send(under("/healthz", "10.1.2.3:7600")).status == 200);
  CHECK(reports.send(under("/readyz", "10.1.2.3:7600")).status == 200);
  CHECK(problem_of(reports.send(under("/metrics", "10.1.2.3:7600")), 403).at("code") ==
        "permission_denied");
  CHECK(reports.send(under("/metrics", "metrics.example")).status == 200);
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    const auto page = with_header(request("GET", path), "origin", "https://evil.example");
    problem_of(reports.send(page), 403);
    const auto own = with_header(request("GET", path), "origin", "https://app.example");
    CHECK(reports.send(own).status == 200);
  }
}

TEST_CASE("health: its paths", "[api]") {
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) CHECK(HealthEndpoint::serves(path));
  for (const char* path : {"/", "/health", "/healthz/", "/api/v1"}) {
    CHECK_FALSE(HealthEndpoint::serves(path));
  }
}

}  // namespace
}  // namespace quiver::api
