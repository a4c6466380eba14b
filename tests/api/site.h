#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "api/rest/rest_endpoint.h"
#include "core/http.h"
#include "service/selection.h"

/// A REST endpoint over the operations of the product, without a network and without an engine.
namespace quiver::api::test {

/// Remembers what it was asked, and answers as it is told.
class FakeExecutor final : public service::Executor {
 public:
  struct Asked {
    CallContext context;
    std::string operation;
    Json arguments;
  };

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    asked.push_back({call, std::string(operation), arguments});
    return answer;
  }

  std::vector<Asked> asked;
  Result<Json> answer = Json{{"done", true}};
};

/// Keeps the one response.
class FakeResponder final : public HttpResponder {
 public:
  void respond(HttpResponse given) override {
    REQUIRE_FALSE(response);
    response = std::move(given);
  }
  std::shared_ptr<HttpStream> stream(HttpResponse) override {
    FAIL("REST has no streams");
    return nullptr;
  }
  void on_gone(std::function<void()> then) override { gone = std::move(then); }

  std::optional<HttpResponse> response;
  std::function<void()> gone;
};

inline HttpRequest request(const std::string& method, const std::string& target,
                           const std::string& body = "") {
  HttpRequest http{method, target, {{"host", "localhost:7600"}}, body};
  if (!body.empty()) http.headers["content-type"] = "application/json";
  return http;
}

inline HttpRequest with_header(HttpRequest http, const std::string& name,
                               const std::string& value) {
  http.headers[name] = value;
  return http;
}

/// Every toolset, as REST has it, and what else `change` decides.
inline service::Registry selected(const service::Registry& all,
                                  const std::function<void(service::Selection&)>& change) {
  service::Selection selection;
  selection.toolsets.push_back(service::Toolset::Cluster);
  selection.toolsets.push_back(service::Toolset::Recovery);
  if (change) change(selection);
  auto chosen = service::select(all, selection);
  REQUIRE(chosen.ok());
  return *std::move(chosen);
}

struct Site {
  explicit Site(const std::function<void(service::Selection&)>& change = {},
                const std::function<void(RestOptions&)>& set = {})
      : shown(selected(all, change)), endpoint(all, shown, executor, submit(), options(set)) {}

  static RestOptions options(const std::function<void(RestOptions&)>& set) {
    RestOptions out;
    out.version = "1.2.3";
    if (set) set(out);
    return out;
  }
  Submit submit() {
    return [this](std::function<void()> work) -> Status {
      if (busy) return *busy;
      waiting.push_back(std::move(work));
      return Done{};
    };
  }
  void work() {
    while (!waiting.empty()) {
      const auto next = std::move(waiting.front());
      waiting.pop_front();
      next();
    }
  }
  std::shared_ptr<FakeResponder> begin(const HttpRequest& http) {
    auto responder = std::make_shared<FakeResponder>();
    endpoint.handle(http, responder);
    return responder;
  }
  HttpResponse send(const HttpRequest& http) {
    const auto responder = begin(http);
    work();
    REQUIRE(responder->response);
    return *responder->response;
  }
  HttpResponse send(const std::string& method, const std::string& target,
                    const std::string& body = "") {
    return send(request(method, target, body));
  }

  std::deque<std::function<void()>> waiting;
  std::optional<Error> busy;
  const service::Registry all = service::catalogue();
  const service::Registry shown;
  FakeExecutor executor;
  const RestEndpoint endpoint;
};

/// The body of a problem, which must be a whole one of that status.
inline Json problem_of(const HttpResponse& response, int status) {
  INFO(response.body);
  CHECK(response.status == status);
  REQUIRE(response.headers.at("content-type") == "application/problem+json");
  const Json body = Json::parse(response.body);
  CHECK(body.at("type") == "about:blank");
  CHECK(body.at("status") == status);
  CHECK_FALSE(body.at("title").get<std::string>().empty());
  CHECK_FALSE(body.at("code").get<std::string>().empty());
  CHECK(body.at("retryable").is_boolean());
  return body;
}

inline std::string detail_of(const HttpResponse& response, int status) {
  return problem_of(response, status).at("detail");
}

}  // namespace quiver::api::test
