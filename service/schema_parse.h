#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/text.h"
#include "service/describe.h"
#include "service/problems.h"

namespace quiver::service {

/// Reads a T from client-supplied JSON, checking everything that its description says.
/// Nothing is returned exactly if a problem was added.
template <typename T>
std::optional<T> read(const Json& json, const Path& path, Problems& problems);

/// Reads a T and answers with all that is wrong with it. `root` names the value in messages; empty
/// for the arguments of a call.
///
/// Errors: InvalidArgument, worded so that a model can correct its own call.
template <typename T>
Result<T> parse(const Json& json, const std::string& root) {
  Problems problems;
  auto value = read<T>(json, Path(root), problems);
  QV_CHECK(problems.status());
  return std::move(*value);
}

/// A type may check what holds between its fields, once each of them is right by itself.
template <typename T>
concept CrossChecked = requires(const T& value, const Path& path, Problems& problems) {
  value.check(path, problems);
};

template <typename Bound>
void outside(const Path& path, Bound low, Bound high, const Json& got, Problems& problems) {
  problems.add(path, "must be between " + Json(low).dump() + " and " + Json(high).dump() +
                         ", got " + shown(got));
}

/// Whether `value` is within the field's range; adds a problem if not.
template <typename F, typename V>
bool in_range(const F& field, const V& value, const Path& path, Problems& problems) {
  if (!field.range) return true;
  const auto [low, high] = *field.range;
  const auto ends = [](const auto& from, const auto& to) {
    return Json(from).dump() + (from == to ? "" : " to " + Json(to).dump());
  };
  if constexpr (std::is_arithmetic_v<V>) {
    if (value >= low && value <= high) return true;
    outside(path, low, high, value, problems);
  } else if constexpr (requires { value.size(); }) {
    const std::size_t size = value.size();
    if (size >= low && size <= high) return true;
    problems.add(path, "must have " + ends(low, high) + (IsVector<V>::value ? " items" : " bytes") +
                           ", got " + std::to_string(size));
  } else {
    return true;
  }
  return false;
}

/// JSON Schema counts 5.0 as an integer, and some clients write integers so. A number without a
/// fraction comes back as an integer, up to where doubles skip integers; all else as it is.
inline Json whole_number(const Json& json) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  if (!json.is_number_float()) return json;
  const double number = json.get<double>();
  if (std::trunc(number) != number || std::abs(number) > kExactMax) return json;
  return static_cast<std::int64_t>(number);
}

template <std::integral T>
bool fits(const Json& integer) {
  return integer.is_number_unsigned() ? std::in_range<T>(integer.get<std::uint64_t>())
                                      : std::in_range<T>(integer.get<std::int64_t>());
}

template <typename O, typename M>
void read_field(const Field<O, M>& field, const Json& json, O& out, std::size_t& seen,
                const Path& path, Problems& problems) {
  using Value = typename Field<O, M>::Value;
  const Path here(path, field.name);
  const auto found = json.find(field.name);
  if (found == json.end()) {
    if (field.required) problems.add(here, "required");
    return;
  }
  ++seen;
  if constexpr (std::integral<Value> && !std::same_as<Value, bool>) {
    // An integer beyond the type is told the field's bounds, not those of the type.
    const Json number = whole_number(*found);
    if (field.range && number.is_number_integer() && !fits<Value>(number)) {
      outside(here, field.range->first, field.range->second, number, problems);
      return;
    }
  }
  if constexpr (IsVector<Value>::value) {
    // Before the items are looked at, which there may be millions of.
    if (found->is_array() &&
        !in_range(field, found->template get_ref<const Json::array_t&>(), here, problems)) {
      return;
    }
  }
  auto value = read<Value>(*found, here, problems);
  if (!value) return;
  if constexpr (!IsVector<Value>::value) {
    if (!in_range(field, *value, here, problems)) return;
  }
  out.*(field.pointer) = std::move(*value);
}

template <Described T>
std::vector<std::string> field_names() {
  return std::apply(
      [](const auto&... f) { return std::vector<std::string>{std::string(f.name)...}; },
      T::fields());
}

template <Described T>
void report_unknown_fields(const Json& json, const Path& path, Problems& problems) {
  const auto known = field_names<T>();
  for (const auto& item : json.items()) {
    bool found = false;
    for (const auto& name : known) found = found || name == item.key();
    if (!found) problems.unknown_field(path, item.key(), known);
    if (problems.full()) return;
  }
}

template <Described T>
std::optional<T> read_object(const Json& json, const Path& path, Problems& problems) {
  if (!json.is_object()) {
    problems.expected(path, "an object", json);
    return std::nullopt;
  }
  T out{};
  Problems mine;
  std::size_t seen = 0;
  std::apply([&](const auto&... f) { (read_field(f, json, out, seen, path, mine), ...); },
             T::fields());
  if (seen != json.size()) report_unknown_fields<T>(json, path, mine);
  if constexpr (CrossChecked<T>) {
    if (mine.empty()) out.check(path, mine);
  }
  if (mine.empty()) return out;
  problems.take(std::move(mine));
  return std::nullopt;
}

template <NamedEnum T>
std::optional<T> read_enum(const Json& json, const Path& path, Problems& problems) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    for (const auto& [value, name] : EnumNames<T>::kNames) {
      if (name == text) return value;
    }
  }
  std::vector<std::string> names;
  std::string list;
  for (const auto& entry : EnumNames<T>::kNames) {
    names.emplace_back(entry.second);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  std::string text = "must be one of " + list + ", got " + shown(json);
  if (json.is_string()) {
    const auto near = nearest_word(utf8_prefix(json.get_ref<const std::string&>(), 80), names);
    if (!near.empty()) text += "; did you mean " + near + "?";
  }
  problems.add(path, text);
  return std::nullopt;
}

inline std::optional<std::string> read_string(const Json& json, const Path& path,
                                              Problems& problems) {
  if (!json.is_string()) {
    problems.expected(path, "a string", json);
    return std::nullopt;
  }
  const auto& text = json.get_ref<const std::string&>();
  if (is_utf8(text)) return text;
  problems.add(path, "must be valid UTF-8");
  return std::nullopt;
}

template <std::integral T>
std::optional<T> read_integer(const Json& json, const Path& path, Problems& problems) {
  const Json number = whole_number(json);
  if (!number.is_number_integer()) {
    if (number.is_number()) {
      problems.add(path, "expected an integer, got " + json.dump());
    } else {
      problems.expected(path, "an integer", json);
    }
    return std::nullopt;
  }
  if (fits<T>(number)) return number.get<T>();
  outside(path, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), number, problems);
  return std::nullopt;
}

template <std::floating_point T>
std::optional<T> read_number(const Json& json, const Path& path, Problems& problems) {
  if (!json.is_number()) {
    problems.expected(path, "a number", json);
    return std::nullopt;
  }
  const T number = json.get<T>();
  if (std::isfinite(number)) return number;
  problems.add(path, "out of range");
  return std::nullopt;
}

template <typename T>
std::optional<T> read_array(const Json& json, const Path& path, Problems& problems) {
  if (!json.is_array()) {
    problems.expected(path, "an array", json);
    return std::nullopt;
  }
  T out;
  out.reserve(json.size());
  bool good = true;
  for (std::size_t i = 0; i < json.size() && !problems.full(); ++i) {
    auto item = read<typename T::value_type>(json[i], Path(path, i), problems);
    good = good && item.has_value();
    if (good) out.push_back(std::move(*item));
  }
  if (good) return out;
  return std::nullopt;
}

template <typename T>
std::optional<T> read(const Json& json, const Path& path, Problems& problems) {
  if constexpr (CustomValue<T>) {
    return ValueType<T>::read(json, path, problems);
  } else if constexpr (NamedEnum<T>) {
    return read_enum<T>(json, path, problems);
  } else if constexpr (std::same_as<T, std::string>) {
    return read_string(json, path, problems);
  } else if constexpr (std::same_as<T, bool>) {
    if (json.is_boolean()) return json.get<bool>();
    problems.expected(path, "true or false", json);
    return std::nullopt;
  } else if constexpr (std::integral<T>) {
    return read_integer<T>(json, path, problems);
  } else if constexpr (std::floating_point<T>) {
    return read_number<T>(json, path, problems);
  } else if constexpr (std::same_as<T, Json>) {
    return json;
  } else if constexpr (IsVector<T>::value) {
    return read_array<T>(json, path, problems);
  } else {
    return read_object<T>(json, path, problems);
  }
}

}  // namespace quiver::service
