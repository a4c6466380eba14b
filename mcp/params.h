#pragma once

#include <cstddef>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "mcp/json_rpc.h"

/// Reading what a method takes. All take the request's params, an object.
namespace quiver::mcp {

RpcError invalid_params(std::string message);

/// A failure of ours as a protocol error: the caller's mistakes are -32602, the rest -32603 and
/// says in its data whether to repeat the request.
RpcError rpc_error(const Error& error);

/// Errors: InvalidArgument unless `key` is there and a string of 1 to `bytes_max`.
Result<std::string> string_param(const Json& params, const char* key, std::size_t bytes_max);

/// An object of strings, empty if `key` is not there. Errors: InvalidArgument for anything else.
Result<Json> strings_param(const Json& params, const char* key);

/// What is wrong with asking for a page of a list that has only one.
Status one_page(const Json& params);

}  // namespace quiver::mcp
