#include "service/confirmation.h"

#include <array>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "service/problems.h"

namespace quiver::service {

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  std::string text = std::to_string(number);
  text += ' ';
  return text.append(number == 1 ? one : many);
}

namespace {

/// Characters that change the order in which others are shown, as JSON writes them: a person must
/// not read something else than what will be done.
std::string without_reordering(const std::string& json) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kEscapes{{
      {"\xD8\x9C", "\\u061c"},
      {"\xE2\x80\x8E", "\\u200e"},
      {"\xE2\x80\x8F", "\\u200f"},
      {"\xE2\x80\xAA", "\\u202a"},
      {"\xE2\x80\xAB", "\\u202b"},
      {"\xE2\x80\xAC", "\\u202c"},
      {"\xE2\x80\xAD", "\\u202d"},
      {"\xE2\x80\xAE", "\\u202e"},
      {"\xE2\x81\xA6", "\\u2066"},
      {"\xE2\x81\xA7", "\\u2067"},
      {"\xE2\x81\xA8", "\\u2068"},
      {"\xE2\x81\xA9", "\\u2069"},
  }};
  std::string out = json;
  for (const auto& [character, escape] : kEscapes) {
    for (auto at = out.find(character); at != std::string::npos; at = out.find(character, at)) {
      out.replace(at, character.size(), escape);
    }
  }
  return out;
}

}  // namespace

std::string shown_in_question(const Json& value) {
  constexpr std::size_t kBytesMax = 1000;
  auto text = without_reordering(compact(value));
  if (text.size() <= kBytesMax) return text;
  return std::string(utf8_prefix(text, kBytesMax)) + "...";
}

}  // namespace quiver::service
