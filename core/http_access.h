#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"

/// Who may call over HTTP, the same for every surface, and the headers that say who calls.
namespace quiver {

/// Who may call beside this machine's loopback.
struct HttpAccess {
  /// Names that a Host header may carry: a page elsewhere must not reach a local server by a name
  /// of its own (DNS rebinding).
  std::vector<std::string> allowed_hosts = {};
  /// Web origins whose pages may call.
  std::vector<std::string> allowed_origins = {};
};

/// Why a request is not taken on; each surface has a form of its own for it.
struct HttpRefusal {
  int status = 400;
  std::string message;
};

/// What is wrong with the Host and Origin of a request, if anything.
std::optional<HttpRefusal> refused_access(const HttpRequest& request, const HttpAccess& access);

/// The value without the white space around it; nothing if the header is absent. `name` is in lower
/// case.
std::optional<std::string> header(const HttpRequest& request, const std::string& name);

/// Whether a Host header ("localhost:7600", "[::1]") names this machine's loopback, or is one of
/// `allowed`: those with a port match exactly, those without match any port.
bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed);

/// Whether an Origin header is of a page served by this machine's loopback, or one of `allowed`.
bool is_allowed_origin(std::string_view origin, const std::vector<std::string>& allowed);

/// Whether a Host header could ever be this entry of HttpAccess::allowed_hosts: a name or an
/// address, IPv6 in brackets, with a port or without; no pattern and no URL.
bool is_host_entry(std::string_view entry);

/// The same for allowed_origins: scheme://host, with a port unless it is the usual one, as browsers
/// write it. "null" is none: any page can come to send it.
bool is_origin_entry(std::string_view entry);

/// The parts of a list such as "a, b;q=0.5", each without its parameters, in lower case.
std::vector<std::string> media_types(std::string_view list);

/// Whether Content-Type names JSON.
bool is_json_type(std::string_view content_type);

/// ASCII letters in lower case.
std::string lower(std::string_view text);

}  // namespace quiver
