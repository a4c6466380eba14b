#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quiver {

/// Whether a number's text is an integer: it has neither fraction nor exponent. Where such text was
/// read as a double, no 64-bit integer holds it, and digits may be lost without a word.
bool is_integer_text(std::string_view number) noexcept;

/// What to say of an integer that is too large to be kept exactly.
std::string integer_too_large(std::string_view number);

/// The first integer of a JSON text that no 64-bit integer holds, as it is written there. Nothing
/// for text that is not JSON.
std::optional<std::string> find_integer_too_large(std::string_view json_text);

}  // namespace quiver
