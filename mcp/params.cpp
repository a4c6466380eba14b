#include "mcp/params.h"

#include <utility>

namespace quiver::mcp {
namespace {

Error invalid(const char* key, const std::string& what) {
  return {ErrorCode::InvalidArgument, std::string("params.") + key + ": " + what};
}

}  // namespace

RpcError invalid_params(std::string message) {
  return {rpc::kInvalidParams, std::move(message)};
}

RpcError rpc_error(const Error& error) {
  if (error.code == ErrorCode::InvalidArgument || error.code == ErrorCode::NotFound) {
    return invalid_params(error.message);
  }
  const ErrorTraits known = traits(error.code);
  return {
      rpc::kInternalError, error.message, {{"code", known.name}, {"retryable", known.retryable}}};
}

Result<std::string> string_param(const Json& params, const char* key, std::size_t bytes_max) {
  const auto found = params.find(key);
  if (found == params.end()) return invalid(key, "required");
  const auto* text = found->get_ptr<const std::string*>();
  if (text == nullptr || text->empty() || text->size() > bytes_max) {
    return invalid(key, "must be a string of 1 to " + std::to_string(bytes_max) + " bytes");
  }
  return *text;
}

Result<Json> strings_param(const Json& params, const char* key) {
  const auto found = params.find(key);
  if (found == params.end()) return Json::object();
  if (!found->is_object()) return invalid(key, "must be an object");
  for (const auto& item : found->items()) {
    if (!item.value().is_string()) {
      return invalid(key, display(item.key()) + " must be a string");
    }
  }
  return *found;
}

Status one_page(const Json& params) {
  if (!params.contains("cursor")) return Done{};
  return invalid("cursor", "unknown cursor; the list has one page");
}

}  // namespace quiver::mcp
