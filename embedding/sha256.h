#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace quiver::embedding {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 of `bytes`.
///
/// Errors: Internal if the crypto library refuses, as one in a restricted mode may.
Result<Sha256> sha256(std::string_view bytes);

/// Lower-case hexadecimal digits, as sha256sum prints them.
std::string hex(const Sha256& digest);

}  // namespace quiver::embedding
