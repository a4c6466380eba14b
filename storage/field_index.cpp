#include "storage/field_index.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/datetime.h"
#include "core/text.h"

namespace quiver::storage {
namespace {

/// Enough to find what is frequent where values repeat; where they do not, any will do.
constexpr std::size_t kExamplesLookedAt = 4096;
constexpr std::size_t kExampleBytesMax = 64;

/// The point in time that a string stands for, if it is a date.
std::optional<Instant> instant_of(const ScalarView& value) {
  const auto* text = std::get_if<std::string_view>(&value);
  return text != nullptr ? parse_instant(*text) : std::nullopt;
}

Json shortened(Json value) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr || text->size() <= kExampleBytesMax) return value;
  return std::string(utf8_prefix(*text, kExampleBytesMax)) + "...";
}

}  // namespace

void FieldIndex::put(Slot slot, const ScalarView& value, Visit visit) {
  const std::size_t nth = count_value(visit);
  if (nth > 1) several_.insert(slot);
  if (nth > values_max_) {
    cut_short_.insert(slot);
    return;
  }
  const bool is_new = values_.find_or_insert(field_key(value)).insert(slot);
  if (const auto instant = instant_of(value)) {
    values_.find_or_insert(field_key(*instant)).insert(slot);
  } else if (is_new && std::holds_alternative<std::string_view>(value)) {
    ++plain_strings_;
  }
}

bool FieldIndex::erase(Slot slot) {
  return present_.erase(slot) && present_.empty();
}

void FieldIndex::erase(Slot slot, const ScalarView& value, Visit visit) {
  const std::size_t nth = count_value(visit);
  if (nth > 1) several_.erase(slot);
  if (nth > values_max_) {
    cut_short_.erase(slot);
    return;
  }
  const bool was_there = erase_key(field_key(value), slot);
  if (const auto instant = instant_of(value)) {
    erase_key(field_key(*instant), slot);
  } else if (was_there && std::holds_alternative<std::string_view>(value)) {
    --plain_strings_;
  }
}

std::size_t FieldIndex::count_value(Visit visit) {
  if (std::exchange(visit_, visit) != visit) visit_values_ = 0;
  return ++visit_values_;
}

bool FieldIndex::erase_key(const std::string& key, Slot slot) {
  SlotPostings* slots = values_.find(key);
  if (slots == nullptr || !slots->erase(slot)) return false;
  if (slots->empty()) values_.erase(key);
  return true;
}

void FieldIndex::add_to(SlotBounds& bounds, const KeyMatch& keys) const {
  values_.walk(keys.sure.first, keys.sure.last, [&](std::string_view, const SlotPostings& slots) {
    slots.add_to(bounds.sure);
    return true;
  });
  if (!keys.doubtful) return;
  if (const auto* slots = values_.find(*keys.doubtful)) slots->add_to(bounds.doubtful);
}

SlotBounds FieldIndex::match(const Filter::Condition& condition) const {
  SlotBounds bounds;
  add_to(bounds, keys_matching(condition));
  cut_short_.add_to(bounds.doubtful);
  return bounds;
}

SlotBounds FieldIndex::match(const Filter::AnyOf& any) const {
  SlotBounds bounds;
  for (const auto& operand : any.operands) {
    const std::string key = field_key(scalar_view(operand));
    const auto* slots = values_.find(key);
    if (slots != nullptr) slots->add_to(is_shared_key(key) ? bounds.doubtful : bounds.sure);
  }
  cut_short_.add_to(bounds.doubtful);
  return bounds;
}

std::optional<SlotBounds> FieldIndex::match_window(
    std::span<const Filter::Condition* const> conditions) const {
  if (!several_.empty()) return std::nullopt;
  KeyMatch window = keys_matching(*conditions.front());
  for (const auto* condition : conditions.subspan(1)) {
    const KeyMatch next = keys_matching(*condition);
    // A date has two keys, one as a string and one as an instant: they have no window in common.
    if (next.sure.first.substr(0, 1) != window.sure.first.substr(0, 1)) return std::nullopt;
    if (window.doubtful || next.doubtful) return std::nullopt;
    window.sure.first = std::max(window.sure.first, next.sure.first);
    window.sure.last = std::min(window.sure.last, next.sure.last);
  }
  SlotBounds bounds;
  add_to(bounds, window);
  cut_short_.add_to(bounds.doubtful);
  return bounds;
}

SlotSet FieldIndex::present() const {
  SlotSet slots;
  present_.add_to(slots);
  return slots;
}

bool FieldIndex::has_any(KeyType type) const {
  const KeyRange range = keys_of(type);
  bool any = false;
  values_.walk(range.first, range.last, [&](std::string_view, const SlotPostings&) {
    any = true;
    return false;
  });
  return any;
}

std::vector<std::string> FieldIndex::types() const {
  std::vector<std::string> types;
  if (plain_strings_ > 0) types.emplace_back("string");
  if (has_any(KeyType::Number)) types.emplace_back("number");
  if (has_any(KeyType::Boolean)) types.emplace_back("boolean");
  if (has_any(KeyType::Instant)) types.emplace_back("datetime");
  return types;
}

std::vector<Json> FieldIndex::examples(std::size_t limit) const {
  using Candidate = std::pair<std::size_t, std::string_view>;  // how many slots, key
  std::vector<Candidate> candidates;
  for (const KeyType type : {KeyType::Boolean, KeyType::Number, KeyType::String}) {
    const KeyRange range = keys_of(type);
    std::size_t looked_at = 0;
    values_.walk(range.first, range.last, [&](std::string_view key, const SlotPostings& slots) {
      candidates.emplace_back(slots.size(), key);
      return ++looked_at < kExamplesLookedAt;
    });
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, candidates.size()));
  const auto more_frequent = [](const Candidate& a, const Candidate& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  std::partial_sort(candidates.begin(), candidates.begin() + count, candidates.end(),
                    more_frequent);
  std::vector<Json> examples;
  std::for_each(candidates.begin(), candidates.begin() + count, [&](const Candidate& candidate) {
    examples.push_back(shortened(field_value(candidate.second)));
  });
  return examples;
}

}  // namespace quiver::storage
