#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/filter.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/read_level.h"
#include "service/describe.h"
#include "service/problems.h"

/// Types with a JSON form of their own, as members of requests and replies.
namespace quiver::service {

/// What a client knows about a point: a JSON object of at most kMetadataBytesMax.
struct Metadata {
  Json value = Json::object();
};

/// Bounds what one item of a reply may weigh.
inline constexpr std::size_t kMetadataBytesMax = std::size_t{64} << 10;

/// A vector as clients send it: an array of numbers, or base64 of little-endian float32.
/// 1 to limits::kDimensionMax numbers, each finite as a float32.
struct VectorValue {
  std::vector<float> values;
};

/// The name of a collection to be made: 1 to 64 of [A-Za-z0-9_-].
struct NewName {
  std::string value;
};

template <>
struct ValueType<PointId> {
  static Json schema();
  static std::optional<PointId> read(const Json& json, const Path& path, Problems& problems);
  static Json encode(const PointId& id) { return id.to_json(); }
};

template <>
struct ValueType<Metadata> {
  static Json schema() { return {{"type", "object"}}; }
  static std::optional<Metadata> read(const Json& json, const Path& path, Problems& problems);
  static Json encode(const Metadata& metadata) { return metadata.value; }
};

template <>
struct ValueType<VectorValue> {
  static Json schema();
  static std::optional<VectorValue> read(const Json& json, const Path& path, Problems& problems);
  /// Numbers in the shortest decimal form that reads back as the same float32.
  static Json encode(const VectorValue& vector);
};

template <>
struct ValueType<NewName> {
  static Json schema();
  static std::optional<NewName> read(const Json& json, const Path& path, Problems& problems);
  static Json encode(const NewName& name) { return name.value; }
};

template <>
struct ValueType<Filter> {
  static Json schema() { return {{"type", "object"}}; }
  static std::optional<Filter> read(const Json& json, const Path& path, Problems& problems);
  static Json encode(const Filter& filter) { return filter.source(); }
};

/// The grammar in one breath; docs/filters.md has the rest.
inline constexpr std::string_view kFilterDoc =
    R"(On metadata, e.g. {"lang":"rust","year":{"$gte":2024},"tag":{"$in":["a","b"]}}. )"
    "Operators: $eq $ne $gt $gte $lt $lte $in $nin $exists; combine with $and $or $not";
inline constexpr std::string_view kFilterAgainDoc = "As in memory_search";

/// Of `consistency`, how new what is read must be where the collection has several copies.
inline constexpr std::string_view kConsistencyDoc =
    "linearizable: every write acknowledged before; session: those through this server; eventual: "
    "some seconds old at worst. Default: of the collection, else eventual for searches, "
    "linearizable for all else";
/// The call with the level that a request asks for, if it does.
CallContext at_level(const CallContext& call, std::optional<ReadLevel> level);

template <>
struct EnumNames<ReadLevel> {
  static constexpr std::array<std::pair<ReadLevel, std::string_view>, 3> kNames{{
      {ReadLevel::Linearizable, "linearizable"},
      {ReadLevel::Session, "session"},
      {ReadLevel::Eventual, "eventual"},
  }};
};

template <>
struct EnumNames<Metric> {
  static constexpr std::array<std::pair<Metric, std::string_view>, 3> kNames{{
      {Metric::Cosine, "cosine"},
      {Metric::Dot, "dot"},
      {Metric::Euclidean, "euclidean"},
  }};
};

}  // namespace quiver::service
