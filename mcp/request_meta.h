#pragma once

#include <optional>

#include "core/json.h"
#include "core/result.h"
#include "mcp/json_rpc.h"
#include "mcp/log_level.h"

/// What a request says of itself in `params._meta`. All take the request's params, an object.
///
/// Source: MCP 2026-07-28, basic: per-request protocol fields.
namespace quiver::mcp {

/// The version a request claims for itself, which makes it modern; null if it claims none.
const Json* claimed_version(const Json& params);

/// What is wrong with a claimed version, if anything.
std::optional<RpcError> version_fault(const Json& claimed);

/// The fault of a message that is modern by its method or header and lacks what makes it so.
RpcError missing_meta(const Json& params);

/// What is wrong with the metadata of a modern request, but for its version.
std::optional<RpcError> meta_fault(const Json& params);

/// What a modern request without such a fault says of its client: its ClientCapabilities, and the
/// least level of log messages it wants; nothing: none.
Json claimed_capabilities(const Json& params);
std::optional<LogLevel> claimed_log_level(const Json& params);

/// The token under which the caller wants progress; null if it wants none.
///
/// Errors: InvalidArgument if it is neither an integer nor a short string.
Result<Json> progress_token(const Json& params);

}  // namespace quiver::mcp
