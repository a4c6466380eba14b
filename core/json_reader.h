#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace quiver {

/// Memory that one text of JSON may take once read, estimated: "[],[],[]" grows twentyfold, the
/// largest honest batch of vectors to 70 MB.
inline constexpr std::size_t kJsonMemoryMax = std::size_t{256} << 20;

/// What to read a text with at first. Vectors of short numbers take six times their text. What
/// takes more, such as one large array of zeros, is read again with kJsonMemoryMax: few need it,
/// and it shall not be kept for all.
constexpr std::size_t usual_json_memory(std::size_t text_bytes) {
  constexpr std::size_t kGrowth = 8;
  constexpr std::size_t kLeast = std::size_t{64} << 10;
  const std::size_t usual = kGrowth * text_bytes + kLeast;
  return usual < kJsonMemoryMax ? usual : kJsonMemoryMax;
}

/// What became of a text that should be JSON.
struct JsonReading {
  enum class Kind {
    Whole,
    /// Not UTF-8, or not JSON.
    Broken,
    /// JSON, but longer than limits::kMessageBytesMax, deeper than limits::kJsonDepthMax, with a
    /// key twice in one object, with an integer that loses digits, or too large once read.
    Refused,
  };

  Kind kind = Kind::Whole;
  /// Null unless it is whole.
  Json root;
  /// What is wrong; empty if it is whole.
  std::string problem;
  /// Of the outermost object, even if that was refused: the value of the member that was asked for.
  /// Nothing if it is absent, there twice, an array or an object.
  std::optional<Json> member;
};

/// Takes JSON text into memory within bounds: what is out of them is refused before it is built.
JsonReading read_json_text(std::string_view text, std::size_t memory_max = kJsonMemoryMax,
                           std::string_view member = {});

}  // namespace quiver
