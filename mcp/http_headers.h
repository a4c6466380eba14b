#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"

/// The HTTP headers that MCP reads. Values are compared as the peer sent them; names are in lower
/// case already.
namespace quiver::mcp {

/// The value without the white space around it; nothing if the header is absent.
std::optional<std::string> header(const HttpRequest& request, const std::string& name);

/// Whether a Host header ("localhost:7600", "[::1]") names this machine's loopback, or is one of
/// `allowed`: those with a port match exactly, those without match any port.
bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed);

/// Whether an Origin header is of a page served by this machine's loopback, or one of `allowed`.
bool is_allowed_origin(std::string_view origin, const std::vector<std::string>& allowed);

/// Whether Content-Type names JSON.
bool is_json_type(std::string_view content_type);

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

/// ASCII letters in lower case.
std::string lower(std::string_view text);

}  // namespace quiver::mcp
