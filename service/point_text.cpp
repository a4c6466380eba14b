#include "service/point_text.h"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "core/json.h"
#include "service/problems.h"

namespace quiver::service {
namespace {

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // 07 is a string: one number has one form.
  return std::to_string(number) == text ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string point_text(const PointId& id) {
  const Json json = id.to_json();
  if (!json.is_string()) return compact(json);
  const auto& text = json.get_ref<const std::string&>();
  return read_number(text) || text.starts_with('"') ? compact(json) : text;
}

std::optional<PointId> read_point_text(const std::string& text) {
  if (const auto number = read_number(text)) return PointId(*number);
  std::string plain = text;
  if (text.starts_with('"')) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_string()) return std::nullopt;
    plain = json.get<std::string>();
  }
  auto id = PointId::from_text(std::move(plain));
  return id.ok() ? std::optional(*std::move(id)) : std::nullopt;
}

}  // namespace quiver::service
