#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/filter.h"
#include "core/json.h"
#include "core/scalar.h"

namespace quiver::storage {

/// Values as byte strings whose order is that of the values: a byte for the type, then
///   boolean  one byte
///   number   the image of its floor as a double (8 bytes), what it has above that (2 bytes)
///   instant  seconds from the year 0 on (8 bytes), nanoseconds (4 bytes)
///   string   its bytes; of a longer one the first kKeyStringBytesMax and a mark
enum class KeyType : char { Null = 1, Boolean = 2, Number = 3, Instant = 4, String = 5 };

/// Longer strings share a key with those that begin alike.
inline constexpr std::size_t kKeyStringBytesMax = 256;

std::string field_key(const ScalarView& value);
/// Whether other values have the same key.
bool is_shared_key(std::string_view key) noexcept;
/// The value of a key; a string as far as the key has it. An Instant has no JSON form: null.
Json field_value(std::string_view key);

/// Keys from `first` on and before `last`.
struct KeyRange {
  std::string first;
  std::string last;
};
/// All values of a type.
KeyRange keys_of(KeyType type);

/// The keys of the values that satisfy a condition.
struct KeyMatch {
  KeyRange sure;
  /// A key that some of its values satisfy the condition with, and others may not. It lies outside
  /// of `sure`.
  std::optional<std::string> doubtful;
};
KeyMatch keys_matching(const Filter::Condition& condition);

}  // namespace quiver::storage
