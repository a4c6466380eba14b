#pragma once

#include <string_view>

#include "core/ids.h"

namespace quiver {

/// The id of a request that another one leads to: of equal seeds the same one, on every machine.
RequestId derived_request_id(std::string_view seed);

}  // namespace quiver
