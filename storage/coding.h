#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace quiver::storage {

// Stored numbers are little-endian, but for those in keys, whose bytes must sort like the numbers.
static_assert(std::endian::native == std::endian::little, "stored numbers are copied as they are");

/// A number whose bytes sort as the numbers do.
template <typename Unsigned>
std::string big_endian(Unsigned value) {
  std::string out(sizeof(Unsigned), '\0');
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    out[sizeof(Unsigned) - 1 - i] = static_cast<char>(value >> (8 * i));
  }
  return out;
}

/// Back from big_endian(); `bytes` has sizeof(Unsigned) bytes.
template <typename Unsigned>
Unsigned from_big_endian(std::string_view bytes) {
  Unsigned value = 0;
  for (const char byte : bytes.substr(0, sizeof(Unsigned))) {
    value = static_cast<Unsigned>(value << 8U | static_cast<unsigned char>(byte));
  }
  return value;
}

/// Appends fixed-width little-endian numbers and length-prefixed bytes to a string.
class ByteWriter {
 public:
  template <typename Number>
  void number(Number value) {
    static_assert(std::is_trivially_copyable_v<Number>);
    raw(&value, sizeof(value));
  }
  void raw(const void* bytes, std::size_t size) {
    out_.append(static_cast<const char*>(bytes), size);
  }
  /// A 32-bit length, then the bytes.
  void bytes(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }
  /// A 32-bit count, then the floats.
  void floats(std::span<const float> values) {
    number(static_cast<std::uint32_t>(values.size()));
    raw(values.data(), values.size_bytes());
  }

  const std::string& out() const noexcept { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Reads what a ByteWriter wrote. A read beyond the end makes ok() false for good and yields zero,
/// so that callers check once, at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  template <typename Number>
  Number number() {
    Number value{};
    const auto bytes = raw(sizeof(Number));
    if (bytes.size() == sizeof(Number)) std::memcpy(&value, bytes.data(), sizeof(Number));
    return value;
  }
  std::string_view raw(std::size_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const auto out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  std::string_view bytes() { return raw(number<std::uint32_t>()); }
  std::vector<float> floats() {
    const std::size_t size = number<std::uint32_t>();
    const auto source = raw(size * sizeof(float));
    std::vector<float> out(source.size() / sizeof(float));
    if (!out.empty()) std::memcpy(out.data(), source.data(), source.size());
    return out;
  }
  /// A 32-bit count of items that take at least `item_bytes` each: a count that cannot be true
  /// fails before anybody reserves memory for it.
  std::size_t count(std::size_t item_bytes) {
    const std::size_t value = number<std::uint32_t>();
    if (value * item_bytes > in_.size()) {
      fail();
      return 0;
    }
    return value;
  }
  void fail() {
    ok_ = false;
    in_ = {};
  }

  bool ok() const noexcept { return ok_; }
  /// Read to the last byte without a failure.
  bool complete() const noexcept { return ok_ && in_.empty(); }

 private:
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace quiver::storage
