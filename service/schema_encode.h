#pragma once

#include <string>
#include <tuple>

#include "core/json.h"
#include "service/describe.h"

namespace quiver::service {

/// The JSON form of a described value: what parse() reads. Absent optional members are left out.
template <typename T>
Json encode(const T& value);

template <Described T>
Json encode_object(const T& value) {
  Json out = Json::object();
  std::apply(
      [&](const auto&... f) {
        [[maybe_unused]] auto put = [&]<typename O, typename M>(const Field<O, M>& field) {
          const M& member = value.*(field.pointer);
          if constexpr (IsOptional<M>::value) {
            if (member) out[std::string(field.name)] = encode(*member);
          } else {
            out[std::string(field.name)] = encode(member);
          }
        };
        (put(f), ...);
      },
      T::fields());
  return out;
}

template <NamedEnum T>
Json encode_enum(T value) {
  for (const auto& [known, name] : EnumNames<T>::kNames) {
    if (known == value) return name;
  }
  return nullptr;
}

template <typename T>
Json encode(const T& value) {
  if constexpr (CustomValue<T>) {
    return ValueType<T>::encode(value);
  } else if constexpr (NamedEnum<T>) {
    return encode_enum(value);
  } else if constexpr (Described<T>) {
    return encode_object(value);
  } else if constexpr (IsVector<T>::value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(encode(item));
    return out;
  } else {
    return Json(value);
  }
}

}  // namespace quiver::service
