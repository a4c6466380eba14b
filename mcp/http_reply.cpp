#include "mcp/http_reply.h"

#include <utility>

#include "core/limits.h"
#include "mcp/http_headers.h"

namespace quiver::mcp {

HttpResponse json_response(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

HttpResponse fault_response(int status, const Fault& fault) {
  return json_response(status, error_reply(fault));
}

HttpResponse refusal(int status, std::string message, Json id) {
  return fault_response(status, {std::move(id), {rpc::kInvalidRequest, std::move(message)}});
}

HttpResponse method_refusal(const std::string& allowed) {
  HttpResponse response = refusal(http::kMethodNotAllowed, "allowed methods: " + allowed);
  response.headers["allow"] = allowed;
  return response;
}

HttpResponse busy_response(std::string message, Json id) {
  HttpResponse response = refusal(http::kUnavailable, std::move(message), std::move(id));
  response.headers["retry-after"] = "1";
  return response;
}

std::optional<HttpResponse> access_fault(const HttpRequest& request, const HttpAccess& access) {
  auto refused = refused_access(request, access);
  if (!refused) return std::nullopt;
  return refusal(refused->status, std::move(refused->message));
}

std::optional<HttpResponse> body_fault(const HttpRequest& request) {
  const auto type = header(request, "content-type");
  if (!type || !is_json_type(*type)) {
    return refusal(http::kUnsupportedMediaType, "header Content-Type: must be application/json");
  }
  if (request.body.size() > limits::kMessageBytesMax) {
    return refusal(http::kContentTooLarge,
                   "message too large: " + std::to_string(request.body.size()) + " bytes, " +
                       std::to_string(limits::kMessageBytesMax) + " bytes max");
  }
  return std::nullopt;
}

}  // namespace quiver::mcp
