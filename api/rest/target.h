#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace quiver::api {

/// The target of a request, taken apart and decoded: UTF-8.
struct Target {
  /// "/v1/a%2Fb" has two: "v1" and "a/b".
  std::vector<std::string> segments;
  /// In the order given; names may repeat.
  std::vector<std::pair<std::string, std::string>> query;
};

/// The part before the query, undecoded.
std::string_view path_of(std::string_view target) noexcept;

/// In a query, '+' stands for a space, as forms have it.
///
/// Errors: InvalidArgument if it does not begin with '/', a percent sign is not followed by two
/// hexadecimal digits, or what it decodes to is not UTF-8.
Result<Target> parse_target(std::string_view target);

}  // namespace quiver::api
