#include "core/scalar.h"

#include <bit>
#include <cmath>
#include <limits>

namespace quiver {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

/// Negative doubles are ordered backwards by their bits, and below the others by their sign bit.
std::uint64_t ordered_bits(double value) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value == 0.0 ? 0.0 : value);  // one zero only
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

double from_ordered_bits(std::uint64_t bits) noexcept {
  return std::bit_cast<double>((bits & kSignBit) != 0 ? bits & ~kSignBit : ~bits);
}

/// The greatest double not above `value`. `limit` is the power of two above the type's largest.
template <typename Integer>
double floor_of(Integer value, double limit) noexcept {
  const auto nearest = static_cast<double>(value);
  const bool above = nearest >= limit || static_cast<Integer>(nearest) > value;
  return above ? std::nextafter(nearest, -std::numeric_limits<double>::infinity()) : nearest;
}

}  // namespace

ExactNumber ExactNumber::of(std::int64_t value) noexcept {
  const double floor = floor_of(value, kTwoTo63);
  // The difference of neighbours cannot overflow when it is taken modulo 2^64.
  const std::uint64_t rest = static_cast<std::uint64_t>(value) -
                             static_cast<std::uint64_t>(static_cast<std::int64_t>(floor));
  return {ordered_bits(floor), static_cast<std::uint16_t>(rest)};
}

ExactNumber ExactNumber::of(std::uint64_t value) noexcept {
  const double floor = floor_of(value, kTwoTo64);
  return {ordered_bits(floor),
          static_cast<std::uint16_t>(value - static_cast<std::uint64_t>(floor))};
}

ExactNumber ExactNumber::of(double value) noexcept {
  return {ordered_bits(value), 0};
}

std::optional<ExactNumber> ExactNumber::of(const Json& json) noexcept {
  if (const auto* natural = json.get_ptr<const Json::number_unsigned_t*>()) return of(*natural);
  if (const auto* integer = json.get_ptr<const Json::number_integer_t*>()) return of(*integer);
  const auto* real = json.get_ptr<const Json::number_float_t*>();
  if (real == nullptr || std::isnan(*real)) return std::nullopt;
  return of(*real);
}

Json ExactNumber::to_json() const {
  const double value = from_ordered_bits(floor);
  if (std::trunc(value) != value) return value;
  if (value >= 0.0 && value < kTwoTo64) return static_cast<std::uint64_t>(value) + rest;
  if (value < 0.0 && value >= -kTwoTo63) return static_cast<std::int64_t>(value) + rest;
  return value;
}

std::optional<ScalarView> scalar_view(const Json& json) noexcept {
  if (json.is_null()) return ScalarView(Null{});
  if (const auto* truth = json.get_ptr<const bool*>()) return ScalarView(*truth);
  if (const auto* text = json.get_ptr<const std::string*>()) {
    return ScalarView(std::string_view(*text));
  }
  if (const auto number = ExactNumber::of(json)) return ScalarView(*number);
  return std::nullopt;
}

ScalarView scalar_view(const Scalar& scalar) noexcept {
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    return ScalarView(std::string_view(*text));
  }
  if (const auto* truth = std::get_if<bool>(&scalar)) return ScalarView(*truth);
  if (const auto* number = std::get_if<ExactNumber>(&scalar)) return ScalarView(*number);
  if (const auto* instant = std::get_if<Instant>(&scalar)) return ScalarView(*instant);
  return ScalarView(Null{});
}

}  // namespace quiver
