// The list of tools in each revision, held to the fields that its schema.ts has; and what model
// APIs demand of any list.

#include "mcp/tools.h"

#include <regex>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "support.h"

namespace quiver::mcp {
namespace {

Json list_of(const Tools& tools, const char* version) {
  return test::parsed(tools.list(*find_revision(version)));
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> names;
  for (const auto& item : object.items()) names.insert(item.key());
  return names;
}

TEST_CASE("Tools: each revision has its own fields and no others", "[mcp]") {
  test::World world;
  const Tools tools(world.offer().tools);
  const Json input = test::operation("drop", service::Access::Admin).request_schema;
  const Json output = test::operation("drop", service::Access::Admin).response_schema;
  Json expected{{"name", "drop"}, {"description", "Does drop."}, {"inputSchema", input}};
  CHECK(list_of(tools, "2024-11-05")[0] == expected);

  Json hints{{"readOnlyHint", false},
             {"destructiveHint", true},
             {"idempotentHint", true},
             {"openWorldHint", false}};
  Json march = expected;
  march["annotations"] = hints;
  march["annotations"]["title"] = "Title of drop";
  CHECK(list_of(tools, "2025-03-26")[0] == march);

  expected["annotations"] = hints;
  expected["title"] = "Title of drop";
  expected["outputSchema"] = output;
  for (const char* version : {"2025-06-18", "2025-11-25", "2026-07-28"}) {
    CHECK(list_of(tools, version)[0] == expected);
  }
}

TEST_CASE("Tools: hints follow from access and effects", "[mcp]") {
  test::World world;
  const Json list = list_of(Tools(world.offer().tools), "2025-11-25");
  std::map<std::string, Json> hints;
  for (const Json& tool : list) hints[tool["name"]] = tool["annotations"];
  CHECK(hints["echo"] == Json{{"readOnlyHint", true},
                              {"destructiveHint", false},
                              {"idempotentHint", true},
                              {"openWorldHint", false}});
  CHECK(hints["store"] == Json{{"readOnlyHint", false},
                               {"destructiveHint", false},
                               {"idempotentHint", true},
                               {"openWorldHint", false}});
}

TEST_CASE("Tools: in order of name, the same bytes every time", "[mcp]") {
  test::World world;
  const Tools tools(world.offer().tools);
  for (const Revision& revision : kRevisions) {
    std::vector<std::string> names;
    for (const Json& tool : test::parsed(tools.list(revision))) names.push_back(tool["name"]);
    CHECK(names == std::vector<std::string>{"drop", "echo", "fail", "hold", "steps", "store"});
    CHECK(tools.list(revision) == Tools(test::World().offer().tools).list(revision));
  }
}

TEST_CASE("Tools: every operation of the product is one that all model APIs take", "[mcp]") {
  const service::Registry registry = service::catalogue();
  test::FakeExecutor executor;
  const Json list = list_of(Tools(operation_tools(registry, executor)), "2025-11-25");
  CHECK(list.size() == registry.operations().size());
  CHECK(list.size() > 0);
  for (const Json& tool : list) {
    const std::string name = tool["name"];
    INFO(name);
    CHECK(std::regex_match(name, std::regex("[a-z0-9_]{1,40}")));
    CHECK_FALSE(tool["title"].get_ref<const std::string&>().empty());
    CHECK_FALSE(tool["description"].get_ref<const std::string&>().empty());
    for (const char* schema : {"inputSchema", "outputSchema"}) {
      CHECK(tool[schema]["type"] == "object");
      for (const char* combinator : {"anyOf", "oneOf", "allOf", "not", "enum"}) {
        CHECK_FALSE(tool[schema].contains(combinator));
      }
      // A reference would be resolved by few clients, and fetched by some.
      CHECK(tool[schema].dump().find("\"$ref\"") == std::string::npos);
    }
    CHECK(keys_of(tool["annotations"]) == std::set<std::string>{"readOnlyHint", "destructiveHint",
                                                                "idempotentHint", "openWorldHint"});
  }
}

TEST_CASE("revisions: what is known, assumed and agreed on", "[mcp]") {
  CHECK(find_revision("2025-06-18")->version == "2025-06-18");
  CHECK(find_revision("2025-06-19") == nullptr);
  CHECK(assumed_revision().version == "2025-03-26");
  CHECK(negotiate("2026-07-28").version == "2025-11-25");
  CHECK(version_list(Era::Modern) == "2026-07-28");
  std::vector<std::string_view> with_batches;
  for (const Revision& revision : kRevisions) {
    if (revision.batches) with_batches.push_back(revision.version);
  }
  CHECK(with_batches == std::vector<std::string_view>{"2025-03-26"});
}

}  // namespace
}  // namespace quiver::mcp
