#pragma once

#include <string>

#include "api/rest/routes.h"
#include "core/json.h"

namespace quiver::api {

/// Describes the REST surface: OpenAPI 3.1, all of it from the descriptions of the operations.
///
/// `shown`: the operations that are offered; routes of others are left out.
Json openapi(const Routes& routes, const service::Registry& shown, const std::string& version);

}  // namespace quiver::api
