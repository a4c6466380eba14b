#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/json.h"
#include "core/result.h"

namespace quiver {

/// Position in a shard's log. The first entry has Seq 1; 0 means "nothing yet".
enum class Seq : std::uint64_t {};
/// Reign of a primary. Raised by one at every change of primary; a single node stays at 1.
enum class Term : std::uint64_t {};
/// Number of a shard within its collection, from 0.
enum class ShardId : std::uint32_t {};

constexpr std::uint64_t raw(Seq seq) noexcept {
  return static_cast<std::uint64_t>(seq);
}
constexpr std::uint64_t raw(Term term) noexcept {
  return static_cast<std::uint64_t>(term);
}
constexpr std::uint32_t raw(ShardId shard) noexcept {
  return static_cast<std::uint32_t>(shard);
}
constexpr Seq next(Seq seq) noexcept {
  return Seq{raw(seq) + 1};
}

/// Names a server for ever: 32 hexadecimal digits, drawn at its first start and kept on its disk.
struct NodeId {
  std::string text;

  auto operator<=>(const NodeId&) const = default;
  bool empty() const noexcept { return text.empty(); }
};

/// Names one physical copy of a shard: 32 hexadecimal digits. A disk that was wiped and filled
/// again holds other copies than before.
struct CopyId {
  std::string text;

  auto operator<=>(const CopyId&) const = default;
  bool empty() const noexcept { return text.empty(); }
};

/// Names one write of one client across retries: the same id takes effect once.
/// All zero means "no id": such a write is not deduplicated.
struct RequestId {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const RequestId&) const = default;
  bool empty() const noexcept { return *this == RequestId{}; }
  /// From the system's random source.
  static RequestId random();
  /// 32 hexadecimal digits.
  std::string hex() const;
  /// Errors: InvalidArgument unless `text` is 32 hexadecimal digits.
  static Result<RequestId> from_hex(std::string_view text);
};

/// The name a client gave a point: a string of 1 to 512 bytes or an unsigned 64-bit integer.
/// 7 and "7" are different ids. Ordered: integers by value, then strings by bytes.
class PointId {
 public:
  PointId() = default;
  explicit PointId(std::uint64_t number) : value_(number) {}

  /// Errors: InvalidArgument if empty, longer than limits::kPointIdBytesMax, or not UTF-8.
  static Result<PointId> from_text(std::string text);
  /// A JSON string or unsigned integer. Errors: InvalidArgument for everything else.
  static Result<PointId> from_json(const Json& json);
  Json to_json() const;
  /// For messages: 7 or "seven".
  std::string display() const;

  /// Bytes whose order is the order of ids; the form in which ids are stored.
  std::string key() const;
  /// Errors: Corruption if `key` was not made by key().
  static Result<PointId> from_key(std::string_view key);

  auto operator<=>(const PointId&) const = default;
  bool operator==(const PointId&) const = default;

 private:
  explicit PointId(std::string text) : value_(std::move(text)) {}

  std::variant<std::uint64_t, std::string> value_ = std::uint64_t{0};
};

}  // namespace quiver
