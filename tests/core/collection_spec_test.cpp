// A spec is refused with the field's name and its bounds, and survives being stored.

#include "core/collection_spec.h"

#include <catch2/catch.hpp>

namespace quiver {
namespace {

CollectionSpec good() {
  CollectionSpec spec;
  spec.id = std::string(32, '0');
  spec.name = "notes_1-a";
  spec.description = "What was said";
  spec.dimension = 384;
  spec.metric = Metric::Euclidean;
  spec.embedder = "minilm";
  spec.shard_count = 3;
  spec.created_at_ms = 1'700'000'000'000;
  return spec;
}

std::string refusal(const CollectionSpec& spec) {
  const auto status = spec.validate();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::InvalidArgument);
  return status.error().message;
}

TEST_CASE("CollectionSpec: what is stored comes back", "[core]") {
  const auto back = CollectionSpec::from_json(good().to_json());
  REQUIRE(back.ok());
  CHECK(*back == good());
}

TEST_CASE("CollectionSpec: how its reads are meant is stored, and may be left out", "[core]") {
  auto spec = good();
  CHECK_FALSE(spec.to_json().contains("consistency"));
  spec.read_level = ReadLevel::Session;
  CHECK(spec.to_json().at("consistency") == "session");
  CHECK(CollectionSpec::from_json(spec.to_json()).value() == spec);
  auto json = spec.to_json();
  json["consistency"] = "strong";
  CHECK_FALSE(CollectionSpec::from_json(json).ok());
  json["consistency"] = 2;
  CHECK(CollectionSpec::from_json(json).error().code == ErrorCode::Corruption);
}

TEST_CASE("CollectionSpec: refusals name the field and its bounds", "[core]") {
  auto spec = good();
  spec.dimension = 4097;
  CHECK(refusal(spec) == "dimension: must be between 1 and 4096, got 4097");
  spec = good();
  spec.dimension = 0;
  CHECK(refusal(spec) == "dimension: must be between 1 and 4096, got 0");
  spec = good();
  spec.name = "a b";
  CHECK(refusal(spec) == "name: 1 to 64 of the characters A-Z a-z 0-9 _ -, got \"a b\"");
  spec.name = "";
  CHECK(refusal(spec) == "name: 1 to 64 of the characters A-Z a-z 0-9 _ -, got \"\"");
  spec = good();
  spec.hnsw.m = 2;
  CHECK(refusal(spec) == "m: must be between 4 and 64, got 2");
  spec = good();
  spec.shard_count = 0;
  CHECK(refusal(spec) == "shards: must be between 1 and 1024, got 0");
}

TEST_CASE("CollectionSpec: a damaged description is corruption", "[core]") {
  auto json = good().to_json();
  json.erase("dimension");
  CHECK(CollectionSpec::from_json(json).error().code == ErrorCode::Corruption);
  CHECK(CollectionSpec::from_json(Json("x")).error().code == ErrorCode::Corruption);
}

TEST_CASE("Metric: names there and back", "[core]") {
  for (const auto metric : {Metric::Cosine, Metric::Dot, Metric::Euclidean}) {
    CHECK(*metric_from_name(name(metric)) == metric);
  }
  CHECK(metric_from_name("l2").error().message ==
        "metric: one of cosine, dot, euclidean, got \"l2\"");
}

}  // namespace
}  // namespace quiver
