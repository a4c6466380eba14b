// What a legacy session by HTTP takes while nothing happens in it: docs/mcp.md says so.

#include <cstddef>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <malloc.h>

#include "fake_store.h"
#include "http_support.h"
#include "mcp/product_offer.h"
#include "service/registry.h"

namespace quiver::mcp {
namespace {

using test::FakeResponse;
using test::Site;

std::size_t heap_bytes() {
  return ::mallinfo2().uordblks;
}

struct Product {
  Product() {
    HttpEndpointOptions options;
    options.sessions.sessions = kSessions + 1;
    endpoint = std::make_unique<HttpEndpoint>(server, test::inline_work, options);
  }
  HttpResponse send(HttpRequest http) {
    const auto response = std::make_shared<FakeResponse>();
    endpoint->handle(std::move(http), response);
    return response->head();
  }
  void begin() {
    const Json params{{"protocolVersion", "2025-11-25"},
                      {"capabilities", {{"elicitation", Json::object()}}},
                      {"clientInfo", {{"name", "test"}, {"version", "1"}}}};
    REQUIRE(send(Site::post(test::request(1, "initialize", params))).status == 200);
  }

  static constexpr std::size_t kSessions = 4000;
  test::FakeStore store;
  service::Registry registry = service::catalogue();
  Offer offer = product_offer(registry, store);
  std::shared_ptr<Hub> hub = offer.hub;
  Server server{offer, test::inline_work};
  std::unique_ptr<HttpEndpoint> endpoint;
};

TEST_CASE("HTTP sessions: what an idle one takes", "[mcp][http]") {
  Product product;
  product.begin();
  const std::size_t before = heap_bytes();
  for (std::size_t i = 1; i < Product::kSessions; ++i) product.begin();
  const std::size_t after = heap_bytes();
  REQUIRE(product.endpoint->sessions() == Product::kSessions);
  // Sanitizers keep books of their own.
  if (after == before) return;
  const std::size_t each = (after - before) / (Product::kSessions - 1);
  WARN("an idle session with its subscription takes " << each << " bytes of heap");
  CHECK(each < 2048);
}

}  // namespace
}  // namespace quiver::mcp
