#include "app/jsonl.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/json_integers.h"
#include "core/limits.h"
#include "core/text.h"

namespace quiver::app {
namespace {

/// A point with the largest payload and vector has some 2.2 MB.
constexpr std::size_t kLineBytesMax = std::size_t{4} << 20;
/// What reads as a smaller double was not an integer too large for 64 bits.
constexpr double kIntegersEnd = 9.2e18;
constexpr std::array<std::string_view, 4> kKeys{"id", "text", "vector", "metadata"};

Error invalid(const std::string& problem) {
  return {ErrorCode::InvalidArgument, problem};
}

/// `least`: a text to embed has at least a byte; that of a point with a vector may be empty.
Status check_text(const Json& text, std::size_t least) {
  if (!text.is_string()) {
    return invalid(std::string("text: expected a string, got ") + text.type_name());
  }
  const std::size_t bytes = text.get_ref<const std::string&>().size();
  if (bytes >= least && bytes <= limits::kTextBytesMax) return Done{};
  return invalid("text: must have " + std::to_string(least) + " to " +
                 std::to_string(limits::kTextBytesMax) + " bytes, has " + std::to_string(bytes));
}

Status check_vector(const Json& vector) {
  if (!vector.is_array()) {
    return invalid(std::string("vector: expected an array of numbers, got ") + vector.type_name());
  }
  if (vector.empty() || vector.size() > limits::kDimensionMax) {
    return invalid("vector: must have 1 to " + std::to_string(limits::kDimensionMax) +
                   " numbers, has " + std::to_string(vector.size()));
  }
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (vector[i].is_number() && std::isfinite(vector[i].get<float>())) continue;
    return invalid("vector[" + std::to_string(i) + "]: expected a finite number, got " +
                   vector[i].dump());
  }
  return Done{};
}

Status check_keys(const Json& point) {
  const std::vector<std::string> known(kKeys.begin(), kKeys.end());
  for (const auto& item : point.items()) {
    if (std::count(known.begin(), known.end(), item.key()) == 1) continue;
    const std::string near = nearest_word(item.key(), known);
    return invalid(
        "unknown key " + Json(item.key()).dump() + "; " +
        (near.empty() ? "there are id, text, vector and metadata" : "did you mean " + near + "?"));
  }
  return Done{};
}

Status check_point(const Json& point) {
  if (!point.is_object()) {
    return invalid(std::string("expected an object, got ") + point.type_name());
  }
  QV_CHECK(check_keys(point));
  if (point.contains("id")) QV_CHECK(PointId::from_json(point.at("id")));
  if (point.contains("text")) {
    QV_CHECK(check_text(point.at("text"), point.contains("vector") ? 0 : 1));
  }
  if (point.contains("vector")) QV_CHECK(check_vector(point.at("vector")));
  if (point.contains("metadata") && !point.at("metadata").is_object()) {
    return invalid(std::string("metadata: expected an object, got ") +
                   point.at("metadata").type_name());
  }
  if (!point.contains("vector") && !point.contains("text")) {
    return invalid("there is neither a text nor a vector");
  }
  if (point.contains("vector") && !point.contains("id")) {
    return invalid("a point with a vector needs an id");
  }
  return Done{};
}

/// nlohmann prefixes its messages with a code; what follows says what is wrong.
std::string without_code(const std::string& what) {
  const auto end = what.find("] ");
  return end == std::string::npos ? what : what.substr(end + 2);
}

/// Parses with bounded depth: what is deeper is refused before it is built. Of two equal keys in
/// one object nlohmann would keep the last without a word.
Result<Json> parse_line(const std::string& line) {
  bool is_too_deep = false;
  bool saw_large = false;
  std::optional<std::string> twice;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (is_too_deep) return false;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !twice) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) twice = key;
    }
    if (event == Json::parse_event_t::value && parsed.is_number_float()) {
      saw_large = saw_large || std::abs(parsed.get<double>()) >= kIntegersEnd;
    }
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= static_cast<int>(limits::kJsonDepthMax)) is_too_deep = true;
    return !is_too_deep;
  };
  try {
    Json json = Json::parse(line, watch);
    if (is_too_deep) return invalid("nested too deeply");
    if (twice) return invalid("key " + Json(*twice).dump() + " appears twice in one object");
    if (saw_large) {
      if (const auto integer = find_integer_too_large(line)) {
        return invalid(integer_too_large(*integer));
      }
    }
    return json;
  } catch (const Json::exception& problem) {
    return invalid("not JSON: " + without_code(problem.what()));
  }
}

}  // namespace

JsonlReader::JsonlReader(std::filesystem::path file)
    : file_(std::move(file)), stream_(file_, std::ios::binary) {}

Error JsonlReader::wrong(const std::string& problem) const {
  return {ErrorCode::InvalidArgument,
          file_.string() + ":" + std::to_string(number_) + ": " + problem};
}

bool JsonlReader::read_line(bool& is_whole) {
  line_.clear();
  is_whole = true;
  auto& buffer = *stream_.rdbuf();
  bool any = false;
  for (int c = buffer.sbumpc(); c != std::char_traits<char>::eof(); c = buffer.sbumpc()) {
    any = true;
    if (c == '\n') break;
    if (line_.size() < kLineBytesMax) {
      line_ += static_cast<char>(c);
    } else {
      is_whole = false;
    }
  }
  if (any) ++number_;
  return any;
}

Result<std::optional<JsonlRecord>> JsonlReader::next() {
  bool is_whole = true;
  while (read_line(is_whole)) {
    if (!is_whole) return wrong("is longer than 4 MiB");
    if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto point = parse_line(line_);
    if (!point.ok()) return wrong(point.error().message);
    if (const Status status = check_point(*point); !status.ok()) {
      return wrong(status.error().message);
    }
    return std::optional<JsonlRecord>(JsonlRecord{std::move(*point), number_, line_.size()});
  }
  return std::optional<JsonlRecord>{};
}

}  // namespace quiver::app
