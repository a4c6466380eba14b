#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/datetime.h"
#include "core/json.h"

namespace quiver {

/// A JSON number so that any two compare by their exact values, whichever of int64, uint64 and
/// double they were: 2^53 + 1 is more than the double 2^53.
struct ExactNumber {
  /// The greatest double that is not above the number, as bits whose order is that of the doubles.
  std::uint64_t floor = 0;
  /// What the number has above that double: 0 to 2047, and 0 for every double.
  std::uint16_t rest = 0;

  /// Nothing for what is not a number, and for NaN.
  static std::optional<ExactNumber> of(const Json& json) noexcept;
  static ExactNumber of(std::int64_t value) noexcept;
  static ExactNumber of(std::uint64_t value) noexcept;
  /// `value` is not NaN.
  static ExactNumber of(double value) noexcept;

  /// An integer if it is one that fits int64 or uint64, else a double.
  Json to_json() const;
  auto operator<=>(const ExactNumber&) const = default;
};

/// JSON null.
struct Null {
  auto operator<=>(const Null&) const = default;
};

/// A value that filters compare. Two of different alternatives are never equal.
using Scalar = std::variant<Null, bool, ExactNumber, std::string, Instant>;
/// The same; strings stay where they are.
using ScalarView = std::variant<Null, bool, ExactNumber, std::string_view, Instant>;

/// Nothing for an array, an object, NaN and what JSON text cannot hold. Strings are never read as
/// instants here. The view is valid as long as `json` is.
std::optional<ScalarView> scalar_view(const Json& json) noexcept;
ScalarView scalar_view(const Scalar& scalar) noexcept;

}  // namespace quiver
