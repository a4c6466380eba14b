#include "core/read_level.h"

#include <array>
#include <string>
#include <utility>

#include "core/text.h"

namespace quiver {
namespace {

constexpr std::array<std::pair<ReadLevel, std::string_view>, 3> kLevels{{
    {ReadLevel::Linearizable, "linearizable"},
    {ReadLevel::Session, "session"},
    {ReadLevel::Eventual, "eventual"},
}};

}  // namespace

std::string_view name(ReadLevel level) noexcept {
  for (const auto& [value, text] : kLevels) {
    if (value == level) return text;
  }
  return "unknown";
}

Result<ReadLevel> read_level_from_name(std::string_view name) {
  for (const auto& [value, text] : kLevels) {
    if (text == name) return value;
  }
  return Error{ErrorCode::InvalidArgument,
               "consistency: one of linearizable, session, eventual, got " + shown_text(name)};
}

}  // namespace quiver
