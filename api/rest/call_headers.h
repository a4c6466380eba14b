#pragma once

#include <chrono>
#include <optional>

#include "core/http.h"
#include "core/ids.h"
#include "core/result.h"

/// What a REST request says of its call in headers.
namespace quiver::api {

/// Idempotency-Key: a UUID or 32 hexadecimal digits, in quotes or not. Nothing without the header.
///
/// Errors: InvalidArgument for anything else, and for a key of zeros, which means none.
Result<std::optional<RequestId>> idempotency_key(const HttpRequest& request);

/// Request-Timeout: seconds, with a fraction or without; `most` without the header.
///
/// Errors: InvalidArgument unless it is above 0 and at most `most`.
Result<std::chrono::milliseconds> request_timeout(const HttpRequest& request,
                                                  std::chrono::milliseconds most);

/// Whether the client takes JSON: it has no Accept header, or one that allows it.
bool takes_json(const HttpRequest& request);

}  // namespace quiver::api
