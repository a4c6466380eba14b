#pragma once

#include <cstddef>
#include <string>

#include "core/json.h"
#include "core/mutation.h"
#include "core/result.h"

namespace quiver {

/// Whether a point may have this payload beside a text of `text_bytes`. `where` begins the message.
///
/// Errors: InvalidArgument unless it is an object of UTF-8 text, and both have at most
/// limits::kPayloadBytesMax bytes together.
Status check_payload(const Json& payload, std::size_t text_bytes, const std::string& where);

/// The payload of a point that had `payload`, after `update`.
Json updated_payload(const Json& payload, const UpdatePayload& update);

}  // namespace quiver
