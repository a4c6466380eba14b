#include "service/confirmation.h"

#include "core/text.h"
#include "service/problems.h"

namespace quiver::service {

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  std::string text = std::to_string(number);
  text += ' ';
  return text.append(number == 1 ? one : many);
}

std::string shown_in_question(const Json& value) {
  constexpr std::size_t kBytesMax = 1000;
  auto text = compact(value);
  if (text.size() <= kBytesMax) return text;
  return std::string(utf8_prefix(text, kBytesMax)) + "...";
}

}  // namespace quiver::service
