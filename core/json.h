#pragma once

#include <nlohmann/json.hpp>

// Made once, in json.cpp: otherwise every file that knows JSON compiles most of the library anew.
extern template class nlohmann::basic_json<>;

namespace quiver {

/// JSON as clients send it and as payloads keep it. Objects are ordered by key.
using Json = nlohmann::json;

}  // namespace quiver
