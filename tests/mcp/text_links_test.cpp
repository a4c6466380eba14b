// Links to the whole of texts that a reply shows cut.

#include "mcp/text_links.h"

#include <string>

#include <catch2/catch.hpp>

#include "features.h"
#include "service/registry.h"
#include "support.h"

namespace quiver::mcp {
namespace {

const Json kHits = Json::parse(R"({"hits":[
  {"id":"a b","text":"long","text_truncated":true},
  {"id":7,"text":"short"},
  {"id":"7","text":"long","text_truncated":true,"next_offset":4}],
  "advice":"go on"})");

TEST_CASE("text links: one for each cut text, by the collection of the call", "[mcp]") {
  const auto registry = service::catalogue();
  const auto uris = [&](const char* operation, const Json& arguments, const Json& reply) {
    std::vector<std::string> found;
    for (const Json& link : text_links(*registry.find(operation), arguments, reply)) {
      CHECK(link["type"] == "resource_link");
      CHECK(link["mimeType"] == "application/json");
      found.push_back(link["uri"]);
    }
    return found;
  };
  CHECK(uris("memory_search", Json::object(), kHits) ==
        std::vector<std::string>{"quiver://collections/memory/points/a%20b",
                                 "quiver://collections/memory/points/%227%22"});
  CHECK(uris("vector_search", {{"collection", "docs"}}, kHits)[0] ==
        "quiver://collections/docs/points/a%20b");
  CHECK(uris("memory_get", Json::object(),
             Json::parse(R"({"items":[{"id":9,"text":"x","text_truncated":true}]})")) ==
        std::vector<std::string>{"quiver://collections/memory/points/9"});
  CHECK(uris("collection_list", Json::object(), kHits).empty());
  CHECK(uris("memory_store", Json::object(), {{"ids", {"a", "b"}}, {"stored", 2}}).empty());
}

TEST_CASE("text links: follow the text, in the form of each revision", "[mcp]") {
  test::FakeExecutor executor;
  executor.on("memory_search",
              [](const CallContext&, const Json&) -> Result<Json> { return kHits; });
  const auto registry = service::catalogue();
  Offer offer;
  offer.tools = operation_tools(registry, executor);
  const Server server(std::move(offer), test::inline_work);
  const auto content = [&](const char* version) {
    auto session = std::make_shared<Session>(*find_revision(version));
    const Json params{{"name", "memory_search"}, {"arguments", {{"query", "x"}}}};
    return test::parsed(
        test::answer(server, {1, "tools/call", params}, session).text)["result"]["content"];
  };
  const Json now = content("2025-11-25");
  REQUIRE(now.size() == 3);
  CHECK(test::parsed(now[0]["text"]) == kHits);
  CHECK(now[1] == Json{{"type", "resource_link"},
                       {"uri", "quiver://collections/memory/points/a%20b"},
                       {"name", "a b"},
                       {"mimeType", "application/json"}});
  CHECK(now[2]["name"] == "\"7\"");
  CHECK(content("2025-03-26")[1] ==
        Json{{"type", "text"}, {"text", "a b: quiver://collections/memory/points/a%20b"}});
}

}  // namespace
}  // namespace quiver::mcp
