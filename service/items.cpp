#include "service/items.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

std::size_t item_bytes(const Item& item) {
  return compact(encode(item)).size();
}

/// Leaves out the largest fields of the metadata until the item is within `bytes`.
void shrink_metadata(Item& item, std::size_t bytes) {
  if (!item.metadata) return;
  std::size_t now = item_bytes(item);
  if (now <= bytes) return;
  now += sizeof(R"("metadata_omitted":65536,)");
  Json& fields = item.metadata->value;
  std::vector<std::pair<std::size_t, std::string>> largest_first;
  for (const auto& field : fields.items()) {
    const std::size_t size = compact(field.key()).size() + compact(field.value()).size();
    largest_first.emplace_back(size, field.key());
  }
  std::sort(largest_first.rbegin(), largest_first.rend());
  std::uint64_t omitted = 0;
  for (const auto& [size, name] : largest_first) {
    if (now <= bytes) break;
    fields.erase(name);
    now -= std::min(now, size + sizeof(",:") - 1);
    ++omitted;
  }
  item.metadata_omitted = item.metadata_omitted.value_or(0) + omitted;
  if (fields.empty()) item.metadata.reset();
}

void shrink_text(Item& item, std::size_t bytes) {
  constexpr std::size_t kTextBytesMin = 60;
  while (item.text && item.text->size() > kTextBytesMin) {
    const std::size_t now = item_bytes(item);
    if (now <= bytes) return;
    // A byte of text takes one byte of JSON or more: cutting the excess suffices, and where it
    // takes more, cutting in proportion keeps more.
    const std::size_t size = item.text->size();
    const std::size_t excess = std::min(size, now - bytes);
    cut_text(item, std::max({kTextBytesMin, size - excess, size * bytes / now * 19 / 20}));
    if (item.text->size() == size) cut_text(item, size - 1);
  }
}

void shrink(Item& item, std::size_t bytes) {
  if (item_bytes(item) <= bytes) return;
  if (item.vector) {
    Item bare;
    bare.id = item.id;
    bare.vector = item.vector;
    if (item_bytes(bare) > bytes) {
      item.vector.reset();
      item.vector_omitted = true;
    }
  }
  if (item.text) {
    // At least half is the text's, if it needs that.
    Item rest = item;
    rest.text.reset();
    const std::size_t text = std::min(bytes / 2, compact(*item.text).size());
    shrink_metadata(rest, bytes - text);
    item.metadata = std::move(rest.metadata);
    item.metadata_omitted = rest.metadata_omitted;
    shrink_text(item, bytes);
  }
  shrink_metadata(item, bytes);
}

/// The longest prefix of at most `bytes` bytes that ends behind a blank, if there is one near.
std::string_view piece_of(std::string_view text, std::size_t bytes) {
  constexpr std::size_t kWordBytesMax = 80;
  const auto cut = utf8_prefix(text, bytes);
  const auto blank = cut.find_last_of(" \n\t");
  if (blank == std::string_view::npos || blank + kWordBytesMax < cut.size()) return cut;
  return cut.substr(0, blank + 1);
}

}  // namespace

std::size_t item_tokens(const Item& item) {
  return estimated_tokens(item_bytes(item));
}

bool TokenBudget::admit(std::size_t bytes) {
  const std::size_t cost = estimated_tokens(bytes);
  if (cost > left_ && any_) return false;
  any_ = true;
  left_ -= std::min(cost, left_);
  return true;
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
  if (point.text && !point.text->empty()) item.text = std::move(point.text);
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
  // 0 has one sign.
  item.score = std::round(double{hit.score} * 1000) / 1000 + 0.0;
  return item;
}

void cut_text(Item& item, std::size_t bytes) {
  if (!item.text || item.text->size() <= bytes) return;
  item.text->resize(piece_of(*item.text, bytes).size());
  item.text_truncated = true;
  item.next_offset = item.text_offset + item.text->size();
}

std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, 1, ',');
  }
  return out;
}

}  // namespace quiver::service
