#pragma once

#include <cstdint>
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
  /// Types seen: string, number, boolean, datetime.
  std::vector<std::string> types;
  /// Points that have the field.
  std::uint64_t points = 0;
  /// A few values, most frequent first.
  std::vector<Json> examples;
};

/// Field values of a shard's payloads, in memory: value -> slots.
///
/// Derived state, like the vector index.
///
/// Threads: like a standard container; the shard locks.
class PayloadIndex {
 public:
  PayloadIndex();
  ~PayloadIndex();
  PayloadIndex(const PayloadIndex&) = delete;
  PayloadIndex& operator=(const PayloadIndex&) = delete;

  /// Adds a slot that is not in the index. `payload` is a JSON object.
  void put(Slot slot, const Json& payload);
  /// Takes a slot out; `payload` is what put() was given. An absent slot is ignored.
  void erase(Slot slot, const Json& payload);

  /// Slots that satisfy `filter`, as Filter::matches() would say of their payloads.
  SlotMatch match(const Filter& filter) const;

  /// The fields that most points have, at most `limit`.
  std::vector<FieldSummary> fields(std::size_t limit) const;
};

}  // namespace quiver::storage
