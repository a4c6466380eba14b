#include "thrift/codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/limits.h"
#include "core/text.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are copied as they are");

/// Bytes that the wire needs beside the contents of a point: field headers, lengths and times.
constexpr std::size_t kPointOverhead = 64;

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

/// Whether `text` nests deeper than JSON may, told without building it.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limits::kJsonDepthMax) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

std::size_t quoted_bytes(std::string_view text) {
  std::size_t bytes = text.size() + 2;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) bytes += 5;
    if (c == '"' || c == '\\') bytes += 1;
  }
  return bytes;
}

Result<Point> decode_point(const wire::PointRecord& record, const std::string& where) {
  Point point;
  auto id = PointId::from_key(record.id);
  if (!id.ok()) return wrong(where + ".id", "not the key of a point id");
  point.id = std::move(id).value();
  std::size_t bytes = 0;
  if (record.__isset.payload) {
    bytes += record.payload.size();
    QV_TRY(point.payload, decode_json(record.payload, where + ".payload"));
    if (!point.payload.is_object()) {
      return wrong(where + ".payload", "must be an object");
    }
  }
  if (record.__isset.text) {
    bytes += record.text.size();
    if (!is_utf8(record.text)) return wrong(where + ".text", "not valid UTF-8");
    point.text = record.text;
  }
  if (bytes > limits::kPayloadBytesMax) {
    return wrong(where, "text and payload may have " + std::to_string(limits::kPayloadBytesMax) +
                            " bytes together, got " + std::to_string(bytes));
  }
  point.created_at_ms = record.created_at_ms;
  point.expires_at_ms = record.expires_at_ms;
  return point;
}

}  // namespace

std::string encode_floats(std::span<const float> floats) {
  std::string bytes(floats.size_bytes(), '\0');
  if (!floats.empty()) std::memcpy(bytes.data(), floats.data(), floats.size_bytes());
  return bytes;
}

Result<std::vector<float>> decode_floats(std::string_view bytes, std::size_t count,
                                         std::string_view what) {
  if (bytes.size() != count * sizeof(float)) {
    return wrong(what, std::to_string(count) + " floats take " +
                           std::to_string(count * sizeof(float)) + " bytes, got " +
                           std::to_string(bytes.size()));
  }
  std::vector<float> floats(count);
  if (count > 0) std::memcpy(floats.data(), bytes.data(), bytes.size());
  const auto odd = std::find_if_not(floats.begin(), floats.end(),
                                    [](float value) { return std::isfinite(value); });
  if (odd != floats.end()) {
    return wrong(what,
                 "number " + std::to_string(odd - floats.begin()) + " is not a finite number");
  }
  return floats;
}

std::vector<std::string> encode_ids(std::span<const PointId> ids) {
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const auto& id : ids) keys.push_back(id.key());
  return keys;
}

Result<PointId> decode_id(std::string_view key) {
  auto id = PointId::from_key(key);
  if (!id.ok()) return wrong("id", "not the key of a point id");
  return id;
}

Result<std::vector<PointId>> decode_ids(const std::vector<std::string>& keys) {
  if (keys.size() > kIdsMax) {
    return wrong("ids",
                 "at most " + std::to_string(kIdsMax) + ", got " + std::to_string(keys.size()));
  }
  std::vector<PointId> ids;
  ids.reserve(keys.size());
  for (const auto& key : keys) {
    QV_TRY(auto id, decode_id(key));
    ids.push_back(std::move(id));
  }
  return ids;
}

Result<std::string> encode_json(const Json& json, std::string_view what) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return wrong(what, "holds text that is not UTF-8");
  }
}

Result<Json> decode_json(std::string_view text, std::string_view what, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return wrong(what, "at most " + std::to_string(bytes_max) + " bytes, got " +
                           std::to_string(text.size()));
  }
  if (too_deep(text)) {
    return wrong(what, "nests deeper than " + std::to_string(limits::kJsonDepthMax) + " levels");
  }
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return wrong(what, "not JSON");
  return json;
}

Result<std::string> encode_filter(const Filter& filter) {
  QV_TRY(auto text, encode_json(filter.source(), "filter"));
  if (text.size() <= kFilterBytesMax) return text;
  return wrong("filter", "at most " + std::to_string(kFilterBytesMax) + " bytes of JSON, got " +
                             std::to_string(text.size()));
}

Result<Filter> decode_filter(std::string_view text) {
  QV_TRY(const auto json, decode_json(text, "filter", kFilterBytesMax));
  return Filter::parse(json);
}

Result<std::optional<Filter>> decode_filter_if(bool present, std::string_view text) {
  if (!present) return std::optional<Filter>();
  QV_TRY(auto filter, decode_filter(text));
  return std::optional<Filter>(std::move(filter));
}

wire::Projection encode_projection(const Projection& projection) {
  wire::Projection out;
  out.payload = projection.payload;
  out.text = projection.text;
  out.vector = projection.vector;
  return out;
}

Projection decode_projection(const wire::Projection& projection) {
  return {projection.payload, projection.text, projection.vector};
}

std::size_t wire_bytes(const Json& json) {
  std::size_t bytes = 2;
  switch (json.type()) {
    case Json::value_t::object:
      for (const auto& [key, value] : json.items()) {
        bytes += quoted_bytes(key) + 2 + wire_bytes(value);
      }
      return bytes;
    case Json::value_t::array:
      for (const auto& value : json) bytes += 1 + wire_bytes(value);
      return bytes;
    case Json::value_t::string: return quoted_bytes(json.get_ref<const std::string&>());
    default: break;
  }
  // The longest number: a double with sign, 17 digits, point and exponent.
  return 25;
}

std::size_t wire_bytes(const Point& point, bool with_vector) {
  std::size_t bytes = kPointOverhead + limits::kPointIdBytesMax;
  if (with_vector) bytes += point.vector.size() * sizeof(float);
  if (point.text) bytes += point.text->size();
  return bytes + wire_bytes(point.payload);
}

Result<wire::PointBatch> encode_points(std::span<const Point> points, bool with_vectors) {
  wire::PointBatch batch;
  const std::size_t dimension = with_vectors && !points.empty() ? points.front().vector.size() : 0;
  if (with_vectors && !points.empty() && (dimension == 0 || dimension > limits::kDimensionMax)) {
    return wrong("points[0].vector", "1 to " + std::to_string(limits::kDimensionMax) +
                                         " components, got " + std::to_string(dimension));
  }
  batch.dimension = static_cast<std::int32_t>(dimension);
  batch.points.reserve(points.size());
  batch.vectors.reserve(points.size() * dimension * sizeof(float));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& point = points[i];
    const auto where = [i](const char* part) { return "points[" + std::to_string(i) + "]" + part; };
    wire::PointRecord record;
    record.id = point.id.key();
    if (!point.payload.empty() || !point.payload.is_object()) {
      QV_TRY(record.payload, encode_json(point.payload, where(".payload")));
      record.__isset.payload = true;
    }
    if (point.text) record.__set_text(*point.text);
    record.created_at_ms = point.created_at_ms;
    record.expires_at_ms = point.expires_at_ms;
    if (with_vectors) {
      if (point.vector.size() != dimension) {
        return wrong(where(".vector"), "has " + std::to_string(point.vector.size()) +
                                           " components, others have " + std::to_string(dimension));
      }
      batch.vectors.append(reinterpret_cast<const char*>(point.vector.data()),
                           dimension * sizeof(float));
    }
    batch.points.push_back(std::move(record));
  }
  return batch;
}

Result<std::vector<Point>> decode_points(const wire::PointBatch& batch) {
  const std::size_t count = batch.points.size();
  if (count > kListMax) {
    return wrong("points",
                 "at most " + std::to_string(kListMax) + ", got " + std::to_string(count));
  }
  if (batch.dimension < 0 || static_cast<std::size_t>(batch.dimension) > limits::kDimensionMax) {
    return wrong("dimension", "0 to " + std::to_string(limits::kDimensionMax) + ", got " +
                                  std::to_string(batch.dimension));
  }
  const auto dimension = static_cast<std::size_t>(batch.dimension);
  const std::size_t stride = dimension * sizeof(float);
  if (batch.vectors.size() != count * stride) {
    return wrong("vectors", std::to_string(count) + " of dimension " + std::to_string(dimension) +
                                " take " + std::to_string(count * stride) + " bytes, got " +
                                std::to_string(batch.vectors.size()));
  }
  std::vector<Point> points;
  points.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto where = "points[" + std::to_string(i) + "]";
    QV_TRY(auto point, decode_point(batch.points[i], where));
    if (dimension > 0) {
      const std::string_view bytes(batch.vectors.data() + i * stride, stride);
      QV_TRY(point.vector, decode_floats(bytes, dimension, where + ".vector"));
    }
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace quiver::thrift
