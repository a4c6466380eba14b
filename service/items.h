#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/point.h"
#include "service/schema.h"
#include "service/values.h"

/// Points as replies show them, and how much of them fits a model's context.
namespace quiver::service {

/// Parts that the request did not ask for are absent.
struct Item {
  PointId id;
  /// Three decimals: more are noise to a reader and cost tokens.
  std::optional<double> score;
  std::optional<std::string> text;
  std::optional<bool> text_truncated;
  std::optional<Metadata> metadata;
  std::optional<bool> metadata_omitted;
  std::optional<std::string> created_at;
  std::optional<std::string> expires_at;
  std::optional<VectorValue> vector;

  static constexpr auto fields() {
    return describe(field("id", &Item::id), field("score", &Item::score, "Higher is nearer"),
                    field("text", &Item::text),
                    field("text_truncated", &Item::text_truncated, "memory_get has the full text"),
                    field("metadata", &Item::metadata),
                    field("metadata_omitted", &Item::metadata_omitted,
                          "Too large for this reply; memory_get has it"),
                    field("created_at", &Item::created_at, "RFC 3339"),
                    field("expires_at", &Item::expires_at, "RFC 3339; absent: never"),
                    field("vector", &Item::vector));
  }
};

/// Bytes of text that a hit shows; memory_get has the rest.
inline constexpr std::size_t kConciseTextBytes = 1200;
inline constexpr std::size_t kDetailedTextBytes = 4000;
/// What a reply may cost unless the request says less; clients cut off or refuse above 25,000.
inline constexpr std::size_t kReplyTokensMax = 20'000;

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
  /// metadata is left out or its text cut, and marked so. Vectors are asked for by name and count
  /// for nothing.
  bool admit(Item& item);

 private:
  /// The cursor and the names around the items.
  static constexpr std::size_t kEnvelope = 40;
  std::size_t left_;
  bool any_ = false;
};

/// Tokens of the item without its vector.
std::size_t item_tokens(const Item& item);

/// Which parts of a point an item shows. Empty metadata is left out.
struct ItemParts {
  std::size_t text_bytes = kConciseTextBytes;
  bool metadata = true;
  bool times = false;
  bool vector = false;
};
Item make_item(Point point, const ItemParts& parts);
Item make_hit(ScoredPoint hit, const ItemParts& parts);

/// The first `bytes` bytes of the item's text, marked if that is not all.
void cut_text(Item& item, std::size_t bytes);

}  // namespace quiver::service
