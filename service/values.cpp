#include "service/values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/limits.h"
#include "core/text.h"
#include "service/base64.h"

namespace quiver::service {
namespace {

constexpr std::string_view kVectorForms =
    "an array of numbers, or a base64 string of little-endian float32";

std::string dimension_bounds(std::size_t got) {
  return "must have 1 to " + std::to_string(limits::kDimensionMax) + " numbers, got " +
         std::to_string(got);
}

float from_little_endian(const char* bytes) {
  std::uint32_t bits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    bits |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  float out = 0;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

std::optional<VectorValue> read_base64(const std::string& text, const Path& path,
                                       Problems& problems) {
  constexpr std::size_t kTextMax = limits::kDimensionMax * 4 * 4 / 3 + 4;
  if (text.size() > kTextMax) {
    problems.add(path, dimension_bounds(text.size() / 4 * 3 / 4));
    return std::nullopt;
  }
  const auto bytes = base64_decode(text, Base64::Standard);
  if (!bytes || bytes->size() % 4 != 0) {
    problems.add(path, "expected " + std::string(kVectorForms) + ", got a string that is not" +
                           (bytes ? " a whole number of float32" : " padded base64"));
    return std::nullopt;
  }
  VectorValue out;
  out.values.reserve(bytes->size() / 4);
  for (std::size_t i = 0; i < bytes->size(); i += 4) {
    out.values.push_back(from_little_endian(bytes->data() + i));
    if (!std::isfinite(out.values.back())) {
      problems.add(Path(path, i / 4), "must be finite");
      return std::nullopt;
    }
  }
  if (!out.values.empty()) return out;
  problems.add(path, dimension_bounds(0));
  return std::nullopt;
}

std::optional<VectorValue> read_numbers(const Json::array_t& numbers, const Path& path,
                                        Problems& problems) {
  if (numbers.empty() || numbers.size() > limits::kDimensionMax) {
    problems.add(path, dimension_bounds(numbers.size()));
    return std::nullopt;
  }
  VectorValue out;
  out.values.reserve(numbers.size());
  for (const auto& number : numbers) {
    if (!number.is_number()) {
      problems.expected(Path(path, out.values.size()), "a number", number);
      return std::nullopt;
    }
    const auto value = number.get<double>();
    if (!(std::abs(value) <= double{std::numeric_limits<float>::max()})) {
      problems.add(Path(path, out.values.size()),
                   "must be finite as a 32-bit float, got " + number.dump());
      return std::nullopt;
    }
    out.values.push_back(static_cast<float>(value));
  }
  return out;
}

}  // namespace

Json ValueType<PointId>::schema() {
  return {{"type", {"string", "integer"}}};
}

std::optional<PointId> ValueType<PointId>::read(const Json& json, const Path& path,
                                                Problems& problems) {
  // A positive number counts as unsigned when it was read from text, but not when code made it.
  const bool made = json.is_number_integer() && !json.is_number_unsigned();
  auto id = made && json.get<std::int64_t>() >= 0
                ? Result<PointId>(PointId(json.get<std::uint64_t>()))
                : PointId::from_json(json);
  if (id.ok()) return std::move(*id);
  // Its messages begin with "id: "; the path says that better.
  std::string_view message = id.error().message;
  if (message.substr(0, 4) == "id: ") message.remove_prefix(4);
  problems.add(path, message);
  return std::nullopt;
}

std::optional<Metadata> ValueType<Metadata>::read(const Json& json, const Path& path,
                                                  Problems& problems) {
  if (!json.is_object()) {
    problems.expected(path, "an object", json);
    return std::nullopt;
  }
  const std::size_t bytes = compact(json).size();
  if (bytes <= kMetadataBytesMax) return Metadata{json};
  problems.add(path, "must be at most " + std::to_string(kMetadataBytesMax) +
                         " bytes as compact JSON, got " + std::to_string(bytes));
  return std::nullopt;
}

Json ValueType<VectorValue>::schema() {
  return {{"type", {"array", "string"}}, {"items", {{"type", "number"}}}};
}

std::optional<VectorValue> ValueType<VectorValue>::read(const Json& json, const Path& path,
                                                        Problems& problems) {
  if (json.is_array()) return read_numbers(json.get_ref<const Json::array_t&>(), path, problems);
  if (json.is_string()) return read_base64(json.get_ref<const std::string&>(), path, problems);
  problems.expected(path, kVectorForms, json);
  return std::nullopt;
}

Json ValueType<VectorValue>::encode(const VectorValue& vector) {
  Json out = Json::array();
  auto& numbers = out.get_ref<Json::array_t&>();
  numbers.reserve(vector.values.size());
  for (const float value : vector.values) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    double number = 0;
    std::from_chars(text.data(), end, number);
    numbers.emplace_back(number);
  }
  return out;
}

Json ValueType<NewName>::schema() {
  return {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}$"}};
}

std::optional<NewName> ValueType<NewName>::read(const Json& json, const Path& path,
                                                Problems& problems) {
  if (!json.is_string()) {
    problems.expected(path, "a string", json);
    return std::nullopt;
  }
  const auto& text = json.get_ref<const std::string&>();
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const bool good = !text.empty() && text.size() <= limits::kCollectionNameBytesMax &&
                    text.find_first_not_of(kAllowed) == std::string::npos;
  if (good) return NewName{text};
  problems.add(path, "must be 1 to 64 of the characters A-Z a-z 0-9 _ -, got " + shown(json));
  return std::nullopt;
}

std::optional<Filter> ValueType<Filter>::read(const Json& json, const Path&, Problems& problems) {
  auto filter = Filter::parse(json);
  if (filter.ok()) return std::move(*filter);
  // Its messages begin with "filter", which is where it lies in every request.
  problems.add(filter.error().message);
  return std::nullopt;
}

CallContext at_level(const CallContext& call, std::optional<ReadLevel> level) {
  CallContext out = call;
  if (level) out.read_level = level;
  return out;
}

}  // namespace quiver::service
