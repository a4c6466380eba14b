// Bytes -> JSON -> filter, evaluated by Filter::matches() and by an index, which must agree. The
// JSON is a filter, or an array of a filter and the payloads to try it on.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/filter.h"
#include "core/json.h"
#include "core/limits.h"
#include "storage/payload_index.h"

namespace {

using quiver::Filter;
using quiver::Json;
using quiver::storage::PayloadIndex;
using quiver::storage::PayloadIndexBounds;
using quiver::storage::Slot;

/// Stops the fuzzer where something does not hold.
void require(bool holds) {
  if (!holds) std::abort();
}

/// Nothing for text that is no JSON or nested deeper than clients may send.
std::optional<Json> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto guard = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > static_cast<int>(quiver::limits::kJsonDepthMax);
    return !too_deep;
  };
  Json json = Json::parse(text.begin(), text.end(), guard, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) return std::nullopt;
  return json;
}

std::vector<Json> usual_payloads() {
  std::vector<Json> payloads;
  for (const char* text : {
           R"({})",
           R"({"a":1,"b":"x","c":true,"d":null})",
           R"({"a":9007199254740993,"b":"2024-01-01T00:00:00Z","c":[],"d":{}})",
           R"({"a":[1,2.5,"x",null,[3]],"b":[{"c":1},{"c":"2024-01-01"},{"d":[{"e":1}]}]})",
           R"({"a":{"b":{"c":[1,2]}},"b":"2023-12-31T23:00:00-01:00","a.b":1,"$a":1,"":1})",
           R"({"a":-0.0,"b":"","c":18446744073709551615,"d":-9223372036854775808})",
       }) {
    payloads.push_back(Json::parse(text));
  }
  payloads.push_back({{"b", std::string(300, 'x')}});
  return payloads;
}

void check_index(const PayloadIndex& index, const Filter& filter, std::span<const Json> payloads,
                 std::size_t first) {
  const auto match = index.match(filter);
  std::size_t matching = 0;
  for (std::size_t i = first; i < payloads.size(); ++i) {
    const bool wanted = filter.matches(payloads[i]);
    const bool got = match.slots.contains(Slot{static_cast<std::uint32_t>(i)});
    matching += wanted ? 1 : 0;
    require(got || !wanted);
    require(wanted || !got || !match.exact);
  }
  require(!match.exact || match.slots.size() == matching);
}

void check_bounds(const PayloadIndexBounds& bounds, const Filter& filter,
                  std::span<const Json> payloads) {
  PayloadIndex index(bounds);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    index.put(Slot{static_cast<std::uint32_t>(i)}, payloads[i]);
  }
  check_index(index, filter, payloads, 0);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    index.erase(Slot{static_cast<std::uint32_t>(i)}, payloads[i]);
    if (i == payloads.size() / 2) check_index(index, filter, payloads, i + 1);
  }
  require(index.fields(1).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  std::vector<Json> payloads;
  if (json->is_array()) {
    for (std::size_t i = 1; i < json->size(); ++i) {
      if ((*json)[i].is_object()) payloads.push_back((*json)[i]);
    }
  }
  if (payloads.empty()) payloads = usual_payloads();
  const auto filter = Filter::parse(json->is_array() && !json->empty() ? json->front() : *json);
  if (!filter.ok()) {
    require(filter.error().code == quiver::ErrorCode::InvalidArgument);
    require(filter.error().message.starts_with("filter"));
    return 0;
  }
  const auto again = Filter::parse(filter->source());
  require(again.ok() && again->paths() == filter->paths());
  check_bounds({}, *filter, payloads);
  check_bounds({2, 2}, *filter, payloads);
  return 0;
}
