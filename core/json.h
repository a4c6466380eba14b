#pragma once

#include <nlohmann/json.hpp>

namespace quiver {

/// JSON as clients send it and as payloads keep it. Objects are ordered by key.
using Json = nlohmann::json;

}  // namespace quiver
