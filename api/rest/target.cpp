#include "api/rest/target.h"

#include <optional>

#include "core/text.h"

namespace quiver::api {
namespace {

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

Result<std::string> decoded(std::string_view text, bool plus_is_space, const char* where) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const bool is_whole = i + 2 < text.size();
    const auto high = is_whole ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = is_whole ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low) {
      return Error{ErrorCode::InvalidArgument,
                   std::string(where) + ": " + shown_text(text.substr(i, 3)) +
                       " is no percent-encoding; a percent sign itself is written %25"};
    }
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  if (is_utf8(out)) return out;
  return Error{ErrorCode::InvalidArgument,
               std::string(where) + ": " + shown_text(text) + " does not decode to UTF-8"};
}

/// Calls `take` with each part between separators; its first error ends it.
template <typename Take>
Status each_part(std::string_view text, char separator, Take take) {
  while (true) {
    const auto end = text.find(separator);
    QV_CHECK(take(text.substr(0, end)));
    if (end == std::string_view::npos) return Done{};
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string_view path_of(std::string_view target) noexcept {
  return target.substr(0, target.find('?'));
}

Result<Target> parse_target(std::string_view target) {
  const std::string_view path = path_of(target);
  if (!path.starts_with('/')) {
    return Error{ErrorCode::InvalidArgument,
                 "path: must begin with \"/\", got " + shown_text(target)};
  }
  Target out;
  QV_CHECK(each_part(path.substr(1), '/', [&](std::string_view part) -> Status {
    QV_TRY(auto segment, decoded(part, false, "path"));
    out.segments.push_back(std::move(segment));
    return Done{};
  }));
  if (path.size() == target.size() || path.size() + 1 == target.size()) return out;
  QV_CHECK(each_part(target.substr(path.size() + 1), '&', [&](std::string_view part) -> Status {
    if (part.empty()) return Done{};
    const auto equals = part.find('=');
    const bool has_value = equals != std::string_view::npos;
    QV_TRY(auto name, decoded(part.substr(0, equals), true, "query"));
    QV_TRY(auto value, decoded(has_value ? part.substr(equals + 1) : "", true, "query"));
    out.query.emplace_back(std::move(name), std::move(value));
    return Done{};
  }));
  return out;
}

}  // namespace quiver::api
