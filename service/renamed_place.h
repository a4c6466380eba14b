#pragma once

#include <charconv>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

namespace quiver::service {

/// Errors of a callee name what it was given: `list`[i], such as texts[3]. This names instead what
/// the client sent, `name(i)`, for i below `count`. All other errors come through as they are.
inline Error rename_place(Error error, std::string_view list, std::size_t count,
                          const std::function<std::string(std::size_t)>& name) {
  const std::string_view message = error.message;
  if (!message.starts_with(list) || message.substr(list.size(), 1) != "[") return error;
  std::size_t index = 0;
  const char* const end = message.data() + message.size();
  const auto [rest, problem] = std::from_chars(message.data() + list.size() + 1, end, index);
  if (problem != std::errc() || rest == end || *rest != ']' || index >= count) return error;
  error.message = name(index).append(rest + 1, end);
  return error;
}

}  // namespace quiver::service
