// What a server says of itself, with all tools and with some taken away.

#include "mcp/product_offer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "fake_store.h"
#include "service/selection.h"

namespace quiver::mcp {
namespace {

using Catch::Matchers::Contains;
using service::Toolset;

struct Chosen {
  explicit Chosen(const std::function<void(service::Selection&)>& change) {
    service::Selection selection;
    change(selection);
    auto selected = service::select(service::catalogue(), selection);
    REQUIRE(selected.ok());
    registry = std::make_unique<service::Registry>(*std::move(selected));
    offer = product_offer(*registry, store);
  }
  const std::string& instructions() const { return offer.about.instructions; }
  bool says(const std::string& word) const {
    return instructions().find(word) != std::string::npos;
  }
  bool has_prompt(const std::string& name) const {
    return std::any_of(offer.prompts.begin(), offer.prompts.end(),
                       [&](const Prompt& prompt) { return prompt.name == name; });
  }
  /// What a tool says of its filter.
  std::string filter_of(const std::string& tool) const {
    const auto found = std::find_if(offer.tools.begin(), offer.tools.end(),
                                    [&](const Tool& one) { return one.name == tool; });
    REQUIRE(found != offer.tools.end());
    return found->input_schema["properties"]["filter"]["description"];
  }

  test::FakeStore store;
  std::unique_ptr<service::Registry> registry;
  Offer offer;
};

TEST_CASE("product offer: a server with all tools speaks of all", "[mcp]") {
  const Chosen all([](service::Selection&) {});
  for (const char* word : {"Start with memory_search", "or collection_list", "memory_store saves",
                           "$nin", "collection_info", "256 items", "1,000 points"}) {
    CHECK_THAT(all.instructions(), Contains(word));
  }
  CHECK(all.has_prompt("recall"));
  CHECK(all.filter_of("vector_search") == "As in memory_search");
}

TEST_CASE("product offer: what a setting takes away is not spoken of", "[mcp]") {
  const Chosen vectors([](service::Selection& s) { s.toolsets = {Toolset::Vector}; });
  CHECK_FALSE(vectors.says("memory_"));
  CHECK_FALSE(vectors.says("collection_"));
  CHECK_THAT(vectors.instructions(), Contains("$nin") && Contains("vector_upsert 1,000 points"));
  CHECK_FALSE(vectors.has_prompt("recall"));
  CHECK(vectors.has_prompt("summarize_collection"));
  CHECK_THAT(vectors.filter_of("vector_search"), Contains("$nin"));
  CHECK_THAT(vectors.filter_of("vector_scroll"), Contains("$nin"));

  const Chosen reads([](service::Selection& s) { s.read_only = true; });
  CHECK(reads.says("Start with memory_search"));
  CHECK_FALSE(reads.says("memory_store"));
  CHECK_FALSE(reads.says("vector_upsert"));
  CHECK(reads.has_prompt("recall"));

  const Chosen cluster([](service::Selection& s) { s.toolsets = {Toolset::Cluster}; });
  for (const char* word : {"memory_", "collection_", "vector_", "filter", "Limits"}) {
    INFO(word);
    CHECK_FALSE(cluster.says(word));
  }
  const Chosen collections([](service::Selection& s) { s.toolsets = {Toolset::Collection}; });
  CHECK_THAT(collections.instructions(),
             Contains("Start with collection_list to see which collections there are.\n"));
  const Chosen memories([](service::Selection& s) { s.toolsets = {Toolset::Memory}; });
  CHECK_THAT(memories.instructions(),
             Contains("what is known; memory_store saves text for later."));
}

}  // namespace
}  // namespace quiver::mcp
