#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/point.h"
#include "core/result.h"

/// Where the next page of an answer begins, as an opaque text that a client hands back.
namespace quiver::service {

inline constexpr std::string_view kCursorDoc = "next_cursor of the previous page";
/// Longer than any we make.
inline constexpr std::size_t kCursorBytesMax = 1024;

/// `bound`: all that the answer depends on besides the page, so that a cursor is refused by any
/// other request. `position`: what open_cursor() gives back. Guards against mistakes, not attacks:
/// nothing is learned with a forged one that asking from the start would not tell.
std::string make_cursor(std::string_view bound, std::string_view position);

/// Errors: InvalidArgument if it was made for another request or damaged on the way.
Result<std::string> open_cursor(std::string_view bound, std::string_view cursor);

/// How far the hits of a search have been read.
///
/// Tells the last hit by score and id, so that points stored or deleted between two pages neither
/// repeat hits nor hide them.
struct SearchPosition {
  /// Hits read up to here, the last included.
  std::uint32_t seen = 0;
  float score = 0.0F;
  std::uint32_t id_hash = 0;

  static SearchPosition after(const ScoredPoint& hit, std::size_t seen);
  bool is_at(const ScoredPoint& hit) const noexcept;

  std::string to_bytes() const;
  /// Errors: InvalidArgument if to_bytes() did not make them.
  static Result<SearchPosition> from_bytes(std::string_view bytes);
};

/// Parts that, joined, cannot be mistaken for other parts.
class CursorBound {
 public:
  explicit CursorBound(std::string_view operation) { add(operation); }
  CursorBound& add(std::string_view part);
  const std::string& str() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace quiver::service
