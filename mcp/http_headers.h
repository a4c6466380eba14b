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

/// Whether Accept allows what MCP replies with: JSON, or an event stream, which every MCP client
/// names beside it.
bool accepts_replies(std::string_view accept);

/// What an Mcp-Name header stands for; =?base64?...?= is decoded. Nothing if that is malformed.
std::optional<std::string> decode_header(std::string_view value);

}  // namespace quiver::mcp
