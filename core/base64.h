#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quiver {

/// Which two characters stand for 62 and 63, and whether the end is padded (RFC 4648, 4 and 5).
enum class Base64 { Standard, Url };

/// Bytes as text: Standard with padding, Url without.
std::string base64_encode(std::string_view bytes, Base64 alphabet);

/// Nothing unless `text` is exactly what base64_encode() makes of some bytes.
std::optional<std::string> base64_decode(std::string_view text, Base64 alphabet);

}  // namespace quiver
