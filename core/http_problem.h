#pragma once

#include <string_view>

#include "core/error.h"
#include "core/http.h"

/// Replies that say what went wrong, for programs and for people.
///
/// Source: RFC 9457, with the members "code" (ErrorTraits::name) and "retryable" beside its own.
namespace quiver {

/// "Not Found" for 404; empty for a status that no reply of ours has.
std::string_view reason_phrase(int status) noexcept;

/// A reply of the status that `error` has, with Retry-After if it is worth trying again.
HttpResponse problem(const Error& error);

/// The same for what HTTP has a status of its own for, which no repetition changes: a method, a
/// media type, a size.
HttpResponse problem(int status, ErrorCode code, std::string_view detail);

/// The same where no code says more than the status.
HttpResponse problem(int status, std::string_view detail);

}  // namespace quiver
