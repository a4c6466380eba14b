#pragma once

#include <optional>
#include <string>

#include "core/ids.h"

/// Ids of points as plain text, where JSON does not say which kind they are: in a URI, or typed by
/// a person. Digits alone are the integer; a string that looks like one, or begins with a quotation
/// mark, is written as JSON: "7".
namespace quiver::service {

std::string point_text(const PointId& id);

/// Also takes JSON for strings that do not need it. Nothing if `text` is no id.
std::optional<PointId> read_point_text(const std::string& text);

}  // namespace quiver::service
