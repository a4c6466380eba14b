#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/filter.h"
#include "core/json.h"
#include "core/result.h"
#include "storage/slot_set.h"

namespace quiver::storage {

/// Slots that may satisfy a filter.
struct SlotMatch {
  /// A superset of the slots that match.
  SlotSet slots;
  /// True: exactly those. False: the caller must evaluate the filter on each payload.
  bool exact = true;
};

/// A metadata field as collection_info shows it.
struct FieldSummary {
  /// Dotted path.
  std::string name;
  /// Types seen: string, number, boolean, datetime. A date counts as datetime only.
  std::vector<std::string> types;
  /// Points that have the field.
  std::uint64_t points = 0;
  /// A few values, most frequent first. Long strings are cut and end in "...".
  std::vector<Json> examples;
};

/// What an index takes in. A slot with more is never lost: conditions on what lies beyond are
/// doubtful for it.
struct PayloadIndexBounds {
  /// Distinct paths; later ones are left out until earlier ones are gone.
  std::size_t fields_max = 1000;
  /// Values of one field in one payload.
  std::size_t values_max = 10'000;
};

/// Field values of a shard's payloads, in memory: value -> slots.
///
/// Derived state, like the vector index. Answers are exact but for three bounds, beyond which a
/// slot becomes doubtful rather than wrong: kIndexedFieldsMax fields, kFieldValuesMax values of a
/// field in one payload, and kKeyStringBytesMax bytes of a string.
///
/// Threads: like a standard container; the shard locks.
class PayloadIndex {
 public:
  explicit PayloadIndex(const PayloadIndexBounds& bounds = {});
  ~PayloadIndex();
  PayloadIndex(const PayloadIndex&) = delete;
  PayloadIndex& operator=(const PayloadIndex&) = delete;

  /// Adds a slot that is not in the index. `payload` is a JSON object.
  void put(Slot slot, const Json& payload);
  /// Takes a slot out; `payload` is what put() was given. An absent slot is ignored.
  void erase(Slot slot, const Json& payload);

  /// Slots that satisfy `filter`, as Filter::matches() would say of their payloads.
  SlotMatch match(const Filter& filter) const;

  /// The fields that most points have, at most `limit`. Those without a value but null are left
  /// out: objects, empty arrays.
  std::vector<FieldSummary> fields(std::size_t limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quiver::storage
