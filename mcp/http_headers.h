#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/http_access.h"

/// The HTTP headers that only MCP reads. Values are compared as the peer sent them; names are in
/// lower case already.
namespace quiver::mcp {

/// The forms of reply that a client takes.
struct Accepted {
  bool json = false;
  bool events = false;
};

/// What an Accept header allows; all if there is none.
Accepted accepted_forms(const std::optional<std::string>& accept);

/// What a header that repeats a part of the body stands for; =?base64?...?= is decoded. Nothing if
/// that is malformed.
std::optional<std::string> decode_header(std::string_view value);

}  // namespace quiver::mcp
