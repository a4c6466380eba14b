#include "service/items.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

std::size_t item_bytes(const Item& item) {
  if (!item.vector) return compact(encode(item)).size();
  Item rest = item;
  rest.vector.reset();
  return compact(encode(rest)).size();
}

void shrink(Item& item, std::size_t bytes) {
  if (item.metadata && compact(item.metadata->value).size() > bytes / 2) {
    item.metadata.reset();
    item.metadata_omitted = true;
  }
  const std::size_t now = item_bytes(item);
  if (now <= bytes || !item.text) return;
  // A byte of text takes one byte of JSON or more, so that cutting the excess suffices.
  constexpr std::size_t kMarkBytes = sizeof(R"(,"text_truncated":true)") - 1;
  constexpr std::size_t kTextBytesMin = 60;
  const std::size_t excess = now - bytes + kMarkBytes;
  const std::size_t size = item.text->size();
  cut_text(item, std::max(kTextBytesMin, size > excess ? size - excess : 0));
}

}  // namespace

std::size_t item_tokens(const Item& item) {
  return estimated_tokens(item_bytes(item));
}

bool TokenBudget::admit(Item& item) {
  std::size_t cost = item_tokens(item);
  if (cost > left_) {
    if (any_) return false;
    shrink(item, left_ * 3);
    cost = std::min(item_tokens(item), left_);
  }
  any_ = true;
  left_ -= cost;
  return true;
}

Item make_item(Point point, const ItemParts& parts) {
  Item item;
  item.id = std::move(point.id);
  item.text = std::move(point.text);
  cut_text(item, parts.text_bytes);
  if (parts.metadata && !point.payload.empty()) item.metadata = Metadata{std::move(point.payload)};
  if (parts.times) {
    item.created_at = rfc3339(point.created_at_ms);
    if (point.expires_at_ms != 0) item.expires_at = rfc3339(point.expires_at_ms);
  }
  if (parts.vector) item.vector = VectorValue{std::move(point.vector)};
  return item;
}

Item make_hit(ScoredPoint hit, const ItemParts& parts) {
  Item item = make_item(std::move(hit.point), parts);
  item.score = std::round(double{hit.score} * 1000) / 1000;
  return item;
}

void cut_text(Item& item, std::size_t bytes) {
  if (!item.text || item.text->size() <= bytes) return;
  item.text->resize(utf8_prefix(*item.text, bytes).size());
  item.text_truncated = true;
}

}  // namespace quiver::service
