#pragma once

#include <optional>
#include <string>

#include "core/http.h"
#include "core/http_access.h"
#include "mcp/json_rpc.h"

/// Whole responses of MCP's endpoints, and what every one of them asks of a request first.
namespace quiver::mcp {

namespace http {
inline constexpr int kOk = 200;
inline constexpr int kAccepted = 202;
inline constexpr int kNoContent = 204;
inline constexpr int kBadRequest = 400;
inline constexpr int kForbidden = 403;
inline constexpr int kNotFound = 404;
inline constexpr int kMethodNotAllowed = 405;
inline constexpr int kNotAcceptable = 406;
inline constexpr int kConflict = 409;
inline constexpr int kContentTooLarge = 413;
inline constexpr int kUnsupportedMediaType = 415;
inline constexpr int kUnavailable = 503;
}  // namespace http

HttpResponse json_response(int status, std::string body);
HttpResponse fault_response(int status, const Fault& fault);
/// What HTTP itself objects to: an error under `id`, null if there is no message yet.
HttpResponse refusal(int status, std::string message, Json id = nullptr);
HttpResponse method_refusal(const std::string& allowed);
/// Try again later.
HttpResponse busy_response(std::string message, Json id = nullptr);

using quiver::HttpAccess;

/// What is wrong with the Host and Origin of a request, if anything.
std::optional<HttpResponse> access_fault(const HttpRequest& request, const HttpAccess& access);

/// What is wrong with the size and the type of a request's body, if anything.
std::optional<HttpResponse> body_fault(const HttpRequest& request);

}  // namespace quiver::mcp
