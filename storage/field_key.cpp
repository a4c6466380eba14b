#include "storage/field_key.h"

#include <cstdint>
#include <utility>

namespace quiver::storage {
namespace {

/// Stands behind the bytes of a string that was cut: above the end of one that was not.
constexpr char kCutMark = '\1';

template <typename Unsigned>
void append_big_endian(std::string& key, Unsigned value) {
  for (std::size_t shift = sizeof(Unsigned) * 8; shift != 0;) {
    shift -= 8;
    key += static_cast<char>(static_cast<unsigned char>(value >> shift));
  }
}

template <typename Unsigned>
Unsigned read_big_endian(std::string_view bytes) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    value = static_cast<Unsigned>(value << 8U | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

std::string typed(KeyType type) {
  return std::string(1, static_cast<char>(type));
}

struct Encoder {
  std::string operator()(const Null&) const { return typed(KeyType::Null); }
  std::string operator()(bool value) const {
    return typed(KeyType::Boolean) + (value ? '\1' : '\0');
  }
  std::string operator()(const ExactNumber& number) const {
    std::string key = typed(KeyType::Number);
    append_big_endian(key, number.floor);
    append_big_endian(key, number.rest);
    return key;
  }
  std::string operator()(std::string_view text) const {
    std::string key = typed(KeyType::String);
    key += text.substr(0, kKeyStringBytesMax);
    if (text.size() > kKeyStringBytesMax) key += kCutMark;
    return key;
  }
  std::string operator()(const Instant& instant) const {
    std::string key = typed(KeyType::Instant);
    // Flipping the sign bit puts the years before 1970 first.
    append_big_endian(key, static_cast<std::uint64_t>(instant.seconds) ^ std::uint64_t{1} << 63U);
    append_big_endian(key, instant.nanos);
    return key;
  }
};

/// The least key above `key`.
std::string next(std::string key) {
  key += '\0';
  return key;
}

KeyMatch none_but(std::string doubtful) {
  return {{}, std::move(doubtful)};
}

KeyMatch keys_equal(std::string key) {
  if (is_shared_key(key)) return none_but(std::move(key));
  std::string last = next(key);
  return {{std::move(key), std::move(last)}, std::nullopt};
}

KeyMatch keys_with_prefix(std::string_view prefix) {
  std::string first = field_key(prefix);
  if (is_shared_key(first)) return none_but(std::move(first));
  // The least string above all that begin so: the last byte that can grow does. The type can.
  std::string last = first;
  while (last.back() == '\xFF') last.pop_back();
  last.back() = static_cast<char>(static_cast<unsigned char>(last.back()) + 1);
  return {{std::move(first), std::move(last)}, std::nullopt};
}

}  // namespace

std::string field_key(const ScalarView& value) {
  return std::visit(Encoder{}, value);
}

bool is_shared_key(std::string_view key) noexcept {
  return key.front() == static_cast<char>(KeyType::String) &&
         key.size() == 1 + kKeyStringBytesMax + 1;
}

Json field_value(std::string_view key) {
  const std::string_view body = key.substr(1);
  switch (static_cast<KeyType>(key.front())) {
    case KeyType::Boolean: return body.front() != '\0';
    case KeyType::Number:
      return ExactNumber{read_big_endian<std::uint64_t>(body),
                         read_big_endian<std::uint16_t>(body.substr(sizeof(std::uint64_t)))}
          .to_json();
    case KeyType::String: return std::string(body.substr(0, kKeyStringBytesMax));
    case KeyType::Null:
    case KeyType::Instant: break;
  }
  return nullptr;
}

KeyRange keys_of(KeyType type) {
  return {typed(type), typed(static_cast<KeyType>(static_cast<char>(type) + 1))};
}

KeyMatch keys_matching(const Filter::Condition& condition) {
  using Compare = Filter::Compare;
  if (condition.compare == Compare::Prefix) {
    return keys_with_prefix(std::get<std::string>(condition.operand));
  }
  std::string key = field_key(scalar_view(condition.operand));
  if (condition.compare == Compare::Equal) return keys_equal(std::move(key));
  KeyRange range = keys_of(static_cast<KeyType>(key.front()));
  const bool upward =
      condition.compare == Compare::Greater || condition.compare == Compare::GreaterEqual;
  if (is_shared_key(key)) {
    // Strings that were cut alike lie on either side of the operand; all others are on one.
    (upward ? range.first : range.last) = upward ? next(key) : key;
    return {std::move(range), std::move(key)};
  }
  const bool takes_equal =
      condition.compare == Compare::GreaterEqual || condition.compare == Compare::LessEqual;
  // What is equal lies at or above the border when going up, and below it when going down.
  const bool border_above = upward != takes_equal;
  (upward ? range.first : range.last) = border_above ? next(std::move(key)) : std::move(key);
  return {std::move(range), std::nullopt};
}

}  // namespace quiver::storage
