#include "core/collection_spec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.h"
#include "core/text.h"

namespace quiver {
namespace {

constexpr std::array<std::pair<Metric, std::string_view>, 3> kMetrics{{
    {Metric::Cosine, "cosine"},
    {Metric::Dot, "dot"},
    {Metric::Euclidean, "euclidean"},
}};

Status check_range(std::string_view field, std::uint64_t low, std::uint64_t high,
                   std::uint64_t got) {
  if (got >= low && got <= high) return Done{};
  return Error{ErrorCode::InvalidArgument,
               std::string(field) + ": must be between " + std::to_string(low) + " and " +
                   std::to_string(high) + ", got " + std::to_string(got)};
}

Status check_name(const std::string& name) {
  const bool known_characters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-';
  });
  if (!name.empty() && name.size() <= limits::kCollectionNameBytesMax && known_characters) {
    return Done{};
  }
  const Json shown = utf8_prefix(name, 80);
  return Error{ErrorCode::InvalidArgument,
               "name: 1 to 64 of the characters A-Z a-z 0-9 _ -, got " +
                   shown.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace

std::string_view name(Metric metric) noexcept {
  for (const auto& [value, text] : kMetrics) {
    if (value == metric) return text;
  }
  return "unknown";
}

Result<Metric> metric_from_name(std::string_view name) {
  for (const auto& [value, text] : kMetrics) {
    if (text == name) return value;
  }
  return Error{ErrorCode::InvalidArgument,
               "metric: one of cosine, dot, euclidean, got \"" + std::string(name) + "\""};
}

Status CollectionSpec::validate() const {
  QV_CHECK(check_name(name));
  QV_CHECK(check_range("description", 0, limits::kDescriptionBytesMax, description.size()));
  QV_CHECK(check_range("dimension", 1, limits::kDimensionMax, dimension));
  QV_CHECK(check_range("shards", 1, limits::kShardsMax, shard_count));
  QV_CHECK(check_range("replicas", 1, 9, replication_factor));
  QV_CHECK(check_range("m", 4, 64, hnsw.m));
  QV_CHECK(check_range("ef_construction", 8, 2000, hnsw.ef_construction));
  return Done{};
}

Json CollectionSpec::to_json() const {
  Json json = {{"id", id},
               {"name", name},
               {"description", description},
               {"dimension", dimension},
               {"metric", quiver::name(metric)},
               {"embedder", embedder},
               {"shards", shard_count},
               {"replicas", replication_factor},
               {"hnsw", {{"m", hnsw.m}, {"ef_construction", hnsw.ef_construction}}},
               {"created_at_ms", created_at_ms}};
  if (read_level) json["consistency"] = quiver::name(*read_level);
  return json;
}

Result<CollectionSpec> CollectionSpec::from_json(const Json& json) {
  try {
    CollectionSpec spec;
    json.at("id").get_to(spec.id);
    json.at("name").get_to(spec.name);
    json.at("description").get_to(spec.description);
    json.at("dimension").get_to(spec.dimension);
    json.at("embedder").get_to(spec.embedder);
    json.at("shards").get_to(spec.shard_count);
    json.at("replicas").get_to(spec.replication_factor);
    json.at("hnsw").at("m").get_to(spec.hnsw.m);
    json.at("hnsw").at("ef_construction").get_to(spec.hnsw.ef_construction);
    json.at("created_at_ms").get_to(spec.created_at_ms);
    QV_TRY(spec.metric, metric_from_name(json.at("metric").get<std::string>()));
    if (const auto level = json.find("consistency"); level != json.end()) {
      QV_TRY(spec.read_level, read_level_from_name(level->get<std::string>()));
    }
    QV_CHECK(spec.validate());
    return spec;
  } catch (const Json::exception& problem) {
    return Error{ErrorCode::Corruption,
                 std::string("a stored collection description is malformed: ") + problem.what()};
  }
}

}  // namespace quiver
