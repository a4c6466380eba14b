#include "thrift/codec_calls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/limits.h"
#include "thrift/codec.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

/// Bytes that the wire needs beside the name and the examples of a field, its types included.
constexpr std::size_t kFieldOverhead = 128;
constexpr std::size_t kFieldsBytesMax = kFrameBytesMax / 2;

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

/// Errors: InvalidArgument unless `value` is from `low` to `high`.
Status in_range(std::string_view what, std::int64_t value, std::size_t low, std::size_t high) {
  if (value >= 0 && static_cast<std::uint64_t>(value) >= low &&
      static_cast<std::uint64_t>(value) <= high) {
    return Done{};
  }
  return wrong(
      what, std::to_string(low) + " to " + std::to_string(high) + ", got " + std::to_string(value));
}

Status at_most(std::string_view what, std::size_t value, std::size_t high) {
  if (value <= high) return Done{};
  return wrong(what, "at most " + std::to_string(high) + ", got " + std::to_string(value));
}

/// How many of `points`, from the first on, make a message of kMessageBytesAim; at least one.
std::size_t fitting(std::span<const Point> points, bool with_vectors) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bytes += wire_bytes(points[i], with_vectors);
    if (bytes > kMessageBytesAim && i > 0) return i;
  }
  return points.size();
}

}  // namespace

Result<wire::SearchRequest> encode_search(const SearchCall& query) {
  QV_CHECK(at_most("k", query.k, limits::kSearchHitsMax));
  QV_CHECK(at_most("ef", query.ef, limits::kSearchHitsMax));
  wire::SearchRequest out;
  out.vector = encode_floats(query.vector);
  out.k = static_cast<std::int32_t>(query.k);
  out.ef = static_cast<std::int32_t>(query.ef);
  out.exact = query.exact;
  if (query.filter) {
    QV_TRY(auto filter, encode_filter(*query.filter));
    out.__set_filter(filter);
  }
  out.projection = encode_projection(query.projection);
  return out;
}

Result<SearchCall> decode_search(const wire::SearchRequest& request) {
  SearchCall query;
  const std::size_t dimension = request.vector.size() / sizeof(float);
  QV_CHECK(in_range("vector", static_cast<std::int64_t>(dimension), 1, limits::kDimensionMax));
  QV_TRY(query.vector, decode_floats(request.vector, dimension, "vector"));
  QV_CHECK(in_range("k", request.k, 1, limits::kSearchHitsMax));
  QV_CHECK(in_range("ef", request.ef, 0, limits::kSearchHitsMax));
  query.k = static_cast<std::size_t>(request.k);
  query.ef = static_cast<std::size_t>(request.ef);
  query.exact = request.exact;
  QV_TRY(query.filter, decode_filter_if(request.__isset.filter, request.filter));
  query.projection = decode_projection(request.projection);
  return query;
}

Result<wire::SearchReply> encode_hits(const std::vector<ScoredPoint>& hits, bool with_vectors) {
  QV_CHECK(at_most("hits", hits.size(), limits::kSearchHitsMax));
  std::vector<Point> whole;
  std::vector<float> scores;
  scores.reserve(hits.size());
  wire::SearchReply out;
  std::size_t bytes = 0;
  for (const auto& hit : hits) {
    scores.push_back(hit.score);
    bytes += wire_bytes(hit.point, with_vectors);
    if (whole.empty() || bytes <= kMessageBytesAim) {
      whole.push_back(hit.point);
    } else {
      out.further.push_back(hit.point.id.key());
      bytes = kMessageBytesAim + 1;
    }
  }
  QV_TRY(out.hits, encode_points(whole, with_vectors));
  out.scores = encode_floats(scores);
  return out;
}

Result<SearchHits> decode_hits(const wire::SearchReply& reply) {
  SearchHits out;
  QV_TRY(auto points, decode_points(reply.hits));
  QV_TRY(auto further, decode_ids(reply.further));
  QV_TRY(const auto scores, decode_floats(reply.scores, points.size() + further.size(), "scores"));
  out.hits.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    out.hits.push_back({std::move(points[i]), scores[i]});
  }
  for (std::size_t i = 0; i < further.size(); ++i) {
    Point point;
    point.id = std::move(further[i]);
    out.further.push_back({std::move(point), scores[points.size() + i]});
  }
  return out;
}

Result<wire::GetRequest> encode_get(std::span<const PointId> ids, Projection projection) {
  QV_CHECK(at_most("ids", ids.size(), kIdsMax));
  wire::GetRequest out;
  out.ids = encode_ids(ids);
  out.projection = encode_projection(projection);
  return out;
}

Result<GetCall> decode_get(const wire::GetRequest& request) {
  QV_TRY(auto ids, decode_ids(request.ids));
  return GetCall{std::move(ids), decode_projection(request.projection)};
}

Result<wire::GetReply> encode_found(std::span<const PointId> ids, std::span<const Point> points,
                                    bool with_vectors) {
  const std::size_t fits = fitting(points, with_vectors);
  wire::GetReply out;
  QV_TRY(out.points, encode_points(points.first(fits), with_vectors));
  // The reply speaks of every id in front of the first point that it has no room for.
  const auto* const end = ids.data() + ids.size();
  const auto* const stop =
      fits == points.size() ? end : std::find(ids.data(), end, points[fits].id);
  out.answered = static_cast<std::int32_t>(stop - ids.data());
  return out;
}

Result<wire::ScrollRequest> encode_scroll(const ScrollCall& query) {
  QV_CHECK(at_most("limit", query.limit, kListMax));
  wire::ScrollRequest out;
  if (query.filter) {
    QV_TRY(auto filter, encode_filter(*query.filter));
    out.__set_filter(filter);
  }
  if (query.after) out.__set_after(query.after->key());
  out.limit = static_cast<std::int32_t>(query.limit);
  out.projection = encode_projection(query.projection);
  return out;
}

Result<ScrollCall> decode_scroll(const wire::ScrollRequest& request) {
  ScrollCall query;
  QV_TRY(query.filter, decode_filter_if(request.__isset.filter, request.filter));
  if (request.__isset.after) {
    QV_TRY(auto after, decode_id(request.after));
    query.after = std::move(after);
  }
  QV_CHECK(in_range("limit", request.limit, 0, kListMax));
  query.limit = static_cast<std::size_t>(request.limit);
  query.projection = decode_projection(request.projection);
  return query;
}

Result<wire::ScrollReply> encode_page(std::span<const Point> points, bool with_vectors) {
  const std::size_t fits = std::min(fitting(points, with_vectors), kListMax);
  wire::ScrollReply out;
  QV_TRY(out.points, encode_points(points.first(fits), with_vectors));
  out.cut = fits < points.size();
  return out;
}

Result<wire::FieldsReply> encode_fields(const std::vector<FieldCount>& fields) {
  QV_CHECK(at_most("fields", fields.size(), kFieldsMax));
  wire::FieldsReply out;
  std::size_t bytes = 0;
  for (const auto& field : fields) {
    wire::FieldRecord record;
    bytes += kFieldOverhead + field.name.size();
    record.name = field.name;
    record.types = field.types;
    record.points = static_cast<std::int64_t>(field.points);
    for (const auto& example : field.examples) {
      QV_TRY(auto text, encode_json(example, "examples"));
      bytes += text.size() + sizeof(std::uint32_t);
      record.examples.push_back(std::move(text));
    }
    if (bytes > kFieldsBytesMax) {
      return Error{ErrorCode::ResourceExhausted,
                   "the fields make a reply of more than " + std::to_string(kFieldsBytesMax) +
                       " bytes: ask for fewer than " + std::to_string(out.fields.size() + 1)};
    }
    out.fields.push_back(std::move(record));
  }
  return out;
}

Result<std::vector<FieldCount>> decode_fields(const wire::FieldsReply& reply) {
  QV_CHECK(at_most("fields", reply.fields.size(), kFieldsMax));
  std::vector<FieldCount> fields;
  for (const auto& record : reply.fields) {
    FieldCount field{record.name, record.types, static_cast<std::uint64_t>(record.points), {}};
    for (const auto& text : record.examples) {
      QV_TRY(auto example, decode_json(text, "examples"));
      field.examples.push_back(std::move(example));
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

Result<std::string> encode_spec(const CollectionSpec& spec) {
  QV_CHECK(spec.validate());
  return encode_json(spec.to_json(), "spec");
}

Result<CollectionSpec> decode_spec(const std::string& text) {
  QV_TRY(const auto json, decode_json(text, "spec"));
  auto spec = CollectionSpec::from_json(json);
  if (!spec.ok()) return wrong("spec", spec.error().message);
  return spec;
}

}  // namespace quiver::thrift
