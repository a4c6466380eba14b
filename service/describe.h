#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// The words in which a request or a reply type describes itself: see schema.h.
namespace quiver::service {

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
struct Bare {
  using type = T;
};
template <typename T>
struct Bare<std::optional<T>> {
  using type = T;
};

/// One member of a request or a reply. A std::optional member may be absent; so may one made
/// optional(), which then keeps its initializer, and the schema says so.
template <typename Owner, typename Member>
struct Field {
  using Value = typename Bare<Member>::type;
  static constexpr bool kNumber = std::is_arithmetic_v<Value>;
  static constexpr bool kBounded =
      kNumber || IsVector<Value>::value || std::same_as<Value, std::string>;
  using Bound = std::conditional_t<kNumber, Value, std::size_t>;

  std::string_view name;
  Member Owner::*pointer;
  std::string_view doc;
  std::optional<std::pair<Bound, Bound>> range = std::nullopt;
  /// Whether the schema tells the range.
  bool range_shown = true;
  bool required = !IsOptional<Member>::value;
  /// Whether a model is shown it.
  bool listed = true;

  /// Both ends are allowed. Bounds a number by its value, an array by its items and a string by its
  /// bytes of UTF-8.
  constexpr Field between(Bound low, Bound high) const requires kBounded {
    Field copy = *this;
    copy.range = {low, high};
    return copy;
  }
  /// Like between(), for a bound that ordinary calls never meet: it is checked, but kept out of the
  /// schema, which costs its reader tokens.
  constexpr Field guarded(Bound low, Bound high) const requires kBounded {
    Field copy = between(low, high);
    copy.range_shown = false;
    return copy;
  }
  /// Taken like any other, but no part of what a model is shown: its reader pays for each word.
  /// The schema has it.
  constexpr Field unlisted() const {
    Field copy = *this;
    copy.listed = false;
    return copy;
  }
  constexpr Field optional() const {
    Field copy = *this;
    copy.required = false;
    return copy;
  }
};

/// A type that has a static fields() returning describe(...).
template <typename T>
concept Described = requires {
  T::fields();
};

/// Specialise with `static constexpr std::array<std::pair<E, std::string_view>, n> kNames` to make
/// an enumeration travel by name.
template <typename E>
struct EnumNames;

template <typename T>
concept NamedEnum = requires {
  EnumNames<T>::kNames;
};

/// Specialise for a type with a form of its own:
/// `static Json schema()`, `static std::optional<T> read(const Json&, const Path&, Problems&)`,
/// which adds a problem whenever it returns nothing, and `static Json encode(const T&)`.
template <typename T>
struct ValueType;

template <typename T>
concept CustomValue = requires {
  ValueType<T>::schema();
};

/// `doc` is for the reader of the schema; empty where the name says it all.
template <typename Owner, typename Member>
constexpr Field<Owner, Member> field(std::string_view name, Member Owner::*pointer,
                                     std::string_view doc = "") {
  return {name, pointer, doc};
}

template <typename... Fields>
constexpr std::tuple<Fields...> describe(Fields... fields) {
  return {fields...};
}

}  // namespace quiver::service
