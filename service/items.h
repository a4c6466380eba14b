#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/point.h"
#include "service/schema.h"
#include "service/values.h"

/// Points as replies show them, and how much of them fits a model's context.
namespace quiver::service {

/// How much of each item a reply shows.
enum class ResponseFormat : std::uint8_t { Concise, Detailed };

template <>
struct EnumNames<ResponseFormat> {
  static constexpr std::array<std::pair<ResponseFormat, std::string_view>, 2> names{{
      {ResponseFormat::Concise, "concise"},
      {ResponseFormat::Detailed, "detailed"},
  }};
};

/// Parts that the request did not ask for, and empty ones, are absent.
struct Item {
  PointId id;
  /// Three decimals: more are noise to a reader and cost tokens.
  std::optional<double> score;
  std::optional<std::string> text;
  std::optional<bool> text_truncated;
  std::optional<std::uint64_t> next_offset;
  std::optional<std::uint64_t> text_bytes;
  std::optional<Metadata> metadata;
  std::optional<std::uint64_t> metadata_omitted;
  std::optional<std::string> created_at;
  std::optional<std::string> expires_at;
  std::optional<VectorValue> vector;
  std::optional<bool> vector_omitted;
  /// Where in the whole text `text` begins; not shown.
  std::size_t text_offset = 0;

  static constexpr auto fields() {
    return describe(
        field("id", &Item::id), field("score", &Item::score, "Higher is nearer"),
        field("text", &Item::text),
        field("text_truncated", &Item::text_truncated, "The text goes on"),
        field("next_offset", &Item::next_offset,
              "Where it does: text_offset for memory_get, in bytes"),
        field("text_bytes", &Item::text_bytes, "Size of the whole of a cut text"),
        field("metadata", &Item::metadata),
        field("metadata_omitted", &Item::metadata_omitted,
              "Metadata fields left out because they are too large for this reply"),
        field("created_at", &Item::created_at, "RFC 3339"),
        field("expires_at", &Item::expires_at, "RFC 3339; absent: never"),
        field("vector", &Item::vector),
        field("vector_omitted", &Item::vector_omitted, "It alone is too large for this reply"));
  }
};

/// Bytes of text that a hit shows; memory_get has the rest.
inline constexpr std::size_t kConciseTextBytes = 1200;
inline constexpr std::size_t kDetailedTextBytes = 4000;
/// Tokens that `bytes` of compact JSON cost a model, rather too many than too few: English prose
/// has 4 to 5 bytes a token, code, CJK and ids about 3.
constexpr std::size_t estimated_tokens(std::size_t bytes) {
  return (bytes + 2) / 3;
}

/// Counts what the items of one reply cost.
class TokenBudget {
 public:
  explicit TokenBudget(std::size_t tokens) : left_(tokens > kEnvelope ? tokens - kEnvelope : 0) {}

  /// Whether `item` goes into the reply. The first always does: if it alone is too large, its
  /// vector and large metadata are left out and its text is cut, and marked so.
  bool admit(Item& item);
  /// For what is no Item: whether so many bytes of JSON still fit. The first always do.
  bool admit(std::size_t bytes);

 private:
  /// The cursor, the advice and the names around the items.
  static constexpr std::size_t kEnvelope = 70;
  std::size_t left_;
  bool any_ = false;
};

std::size_t item_tokens(const Item& item);

/// Which parts of a point an item shows. Empty metadata is left out.
struct ItemParts {
  std::size_t text_bytes = kConciseTextBytes;
  bool metadata = true;
  bool times = false;
  bool vector = false;

  /// What hits and listed points show: `detailed` adds the times and more of the text.
  static ItemParts of(ResponseFormat format) {
    const bool detailed = format == ResponseFormat::Detailed;
    return {detailed ? kDetailedTextBytes : kConciseTextBytes, true, detailed, false};
  }
};
Item make_item(Point point, const ItemParts& parts);
Item make_hit(ScoredPoint hit, const ItemParts& parts);

/// The first `bytes` bytes of the item's text, a little less to end between words. Marked if that
/// is not all.
void cut_text(Item& item, std::size_t bytes);

/// `3,412`, for sentences.
std::string grouped(std::uint64_t number);

}  // namespace quiver::service
