#pragma once

#include <optional>
#include <string_view>

#include "api/rest/routes.h"
#include "api/rest/target.h"
#include "core/json.h"
#include "core/result.h"

namespace quiver::api {

/// How a field is written in a path or a query.
enum class TextForm {
  /// As it is: texts, numbers, true and false.
  Plain,
  /// As JSON: arrays, objects, and fields of more than one type.
  JsonText,
};
/// `schema`: of the field, as JSON Schema.
TextForm text_form(const Json& schema);

/// The arguments of an operation, put together from what names it: the path, the query parameters
/// of methods without a body, the body of the others. Values in texts become what the operation's
/// description says they are; what it does not know is refused here for the query, and by the
/// operation for the body.
///
/// `body`: absent if the request has none.
///
/// Errors: InvalidArgument with all that is wrong.
Result<Json> arguments_of(const Routes::Match& match, const Target& target,
                          std::optional<Json> body);

}  // namespace quiver::api
