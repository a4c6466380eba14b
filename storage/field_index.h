#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/filter.h"
#include "core/json.h"
#include "storage/field_key.h"
#include "storage/key_blocks.h"
#include "storage/slot_postings.h"
#include "storage/slot_set.h"

namespace quiver::storage {

/// What an index knows about the slots that satisfy a condition.
struct SlotBounds {
  /// These do.
  SlotSet sure;
  /// These may; some may be in `sure`, too.
  SlotSet doubtful;
};

/// The values of one field: which slots have it at all, and which have which value.
///
/// Threads: like a standard container.
class FieldIndex {
 public:
  /// Numbers the payloads that put() and erase() see, so that a field can count its values in each.
  using Visit = std::uint64_t;

  /// A slot whose payload has more than `values_max` values is doubtful for every condition.
  explicit FieldIndex(std::size_t values_max) : values_max_(values_max) {}

  /// The field is there in the payload of `slot`. To be repeated at every place where it is.
  void put(Slot slot) { present_.insert(slot); }
  void put(Slot slot, const ScalarView& value, Visit visit);
  /// Undo exactly what put() did. True: `slot` was the last that had the field.
  bool erase(Slot slot);
  void erase(Slot slot, const ScalarView& value, Visit visit);

  /// A slot that has no such value at all is in neither set.
  SlotBounds match(const Filter::Condition& condition) const;
  SlotBounds match(const Filter::AnyOf& any) const;
  /// The slots that satisfy all of some conditions, by one walk over the values between them.
  /// Nothing if the conditions must be taken one by one: a slot with several values may satisfy
  /// each with another.
  std::optional<SlotBounds> match_window(
      std::span<const Filter::Condition* const> conditions) const;
  SlotSet present() const;
  std::size_t points() const noexcept { return present_.size(); }

  /// Types seen but null, as FieldSummary names them.
  std::vector<std::string> types() const;
  /// The most frequent of the first few thousand values, shortened if they are long.
  std::vector<Json> examples(std::size_t limit) const;

 private:
  /// Counts a value of the payload that is visited: 1 for its first.
  std::size_t count_value(Visit visit);
  /// Whether `slot` had the key.
  bool erase_key(const std::string& key, Slot slot);
  void add_to(SlotBounds& bounds, const KeyMatch& keys) const;
  bool has_any(KeyType type) const;

  std::size_t values_max_;
  KeyBlocks<SlotPostings> values_;
  SlotPostings present_;
  /// Slots with more than one value.
  SlotPostings several_;
  /// Slots with more than values_max_ values.
  SlotPostings cut_short_;
  /// Pairs of a slot and a string in it that is no date.
  std::uint64_t plain_strings_ = 0;
  Visit visit_ = 0;
  std::size_t visit_values_ = 0;
};

}  // namespace quiver::storage
