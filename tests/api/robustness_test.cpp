// Whatever comes in, what comes out is whole: a known status and JSON that says the same. Requests
// are good ones with bytes changed at random, from a printed seed.

#include <random>
#include <set>

#include "core/http_problem.h"
#include "core/text.h"
#include "site.h"

namespace quiver::api {
namespace {

using test::request;
using test::Site;

const std::vector<HttpRequest>& good_requests() {
  static const std::vector<HttpRequest> all{
      request("GET", "/api/v1/collections?limit=20&cursor=abc"),
      request("PUT", "/api/v1/collections/docs", R"({"dimension":3,"metric":"dot"})"),
      request("DELETE", "/api/v1/collections/caf%C3%A9?confirm=caf%C3%A9"),
      request("POST", "/api/v1/collections/docs/points",
              R"({"points":[{"id":1,"vector":[0.5,-1e3],"metadata":{"a":[null,true]}}]})"),
      request("GET", "/api/v1/cluster/nodes/n-1"),
      request("POST", "/api/v1/cluster/rebalance", R"({"plan_id":"x"})"),
      request("GET", "/api/v1/openapi.json"),
  };
  return all;
}

void change(std::string& text, std::mt19937& random) {
  static const std::string kInteresting = "%/?&=+{}[]\",:\\\xff\xc3 0e-.aA\0";
  const auto pick = [&](std::size_t n) { return random() % n; };
  const char byte =
      pick(2) == 0 ? kInteresting[pick(kInteresting.size())] : static_cast<char>(random());
  const std::size_t at = pick(text.size() + 1);
  switch (pick(3)) {
    case 0: text.insert(at, 1, byte); break;
    case 1:
      if (at < text.size()) text[at] = byte;
      break;
    default: text.erase(at, 1 + pick(4));
  }
}

void check_whole(const HttpResponse& response) {
  static const std::set<int> known{200, 204, 400, 403, 404, 405, 406, 413, 415, 504};
  CHECK(known.contains(response.status));
  CHECK_FALSE(reason_phrase(response.status).empty());
  const Json body = Json::parse(response.body, nullptr, false);
  REQUIRE_FALSE(body.is_discarded());
  CHECK(is_utf8(response.body));
  if (response.status == 200) return;
  CHECK(body.at("status") == response.status);
  CHECK_FALSE(body.at("detail").get<std::string>().empty());
}

TEST_CASE("REST: requests with bytes changed at random are answered whole", "[api]") {
  constexpr unsigned kSeed = 20261123;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  Site site;
  for (int i = 0; i < 4000; ++i) {
    HttpRequest http = good_requests()[random() % good_requests().size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const unsigned where = random() % 8;
      if (where < 4) change(http.target, random);
      if (where >= 4 && where < 7) change(http.body, random);
      if (where == 7) change(http.method, random);
    }
    INFO(http.method << ' ' << http.target << ' ' << http.body);
    check_whole(site.send(http));
  }
  // Most of what was changed was refused, and not all.
  CHECK(site.executor.asked.size() > 100);
  CHECK(site.executor.asked.size() < 3500);
  for (const auto& asked : site.executor.asked) CHECK(asked.arguments.is_object());
}

}  // namespace
}  // namespace quiver::api
