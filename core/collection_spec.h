#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/read_level.h"
#include "core/result.h"

namespace quiver {

/// How nearness is measured, and what the score of a hit is (higher is nearer):
/// Cosine: cosine of the angle, -1 to 1. Dot: inner product. Euclidean: minus the distance.
enum class Metric : std::uint8_t { Cosine = 1, Dot = 2, Euclidean = 3 };

/// "cosine", "dot" or "euclidean".
std::string_view name(Metric metric) noexcept;
/// Errors: InvalidArgument naming the three.
Result<Metric> metric_from_name(std::string_view name);

/// Shape of the HNSW graph. Source: Malkov & Yashunin 2016, arXiv 1603.09320.
struct HnswParameters {
  /// Links of a node on the upper layers; twice that on layer 0. 4 to 64.
  std::uint32_t m = 16;
  /// Candidates looked at while inserting. 8 to 2000.
  std::uint32_t ef_construction = 200;

  bool operator==(const HnswParameters&) const = default;
};

/// All that is decided about a collection when it is made.
struct CollectionSpec {
  /// Unique for ever; names its directories. 32 hexadecimal digits.
  std::string id;
  /// 1 to 64 of [A-Za-z0-9_-].
  std::string name;
  std::string description;
  std::uint32_t dimension = 0;
  Metric metric = Metric::Cosine;
  /// Name of the provider that turns text into this collection's vectors; empty: vectors only.
  std::string embedder;
  std::uint32_t shard_count = 1;
  std::uint32_t replication_factor = 1;
  /// Of reads that do not say. Absent: searches are Session, all others Linearizable.
  std::optional<ReadLevel> read_level;
  HnswParameters hnsw;
  std::int64_t created_at_ms = 0;

  /// Errors: InvalidArgument naming the field, its bounds and what it was.
  Status validate() const;
  Json to_json() const;
  /// Errors: Corruption if `json` is not what to_json() makes.
  static Result<CollectionSpec> from_json(const Json& json);
  bool operator==(const CollectionSpec&) const = default;
};

}  // namespace quiver
