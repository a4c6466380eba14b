#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace quiver::mcp {

/// The URI of what collections hold: `quiver://collections`, one of them, or a point of one.
///
/// Names and ids are percent-encoded (RFC 3986). An id of digits alone is the integer; a string
/// that looks like one, or begins with a quotation mark, is written as JSON: "7" is %227%22.
struct CollectionUri {
  /// Empty: all collections.
  std::string collection = {};
  std::optional<PointId> point = {};

  bool operator==(const CollectionUri&) const = default;
};

inline constexpr std::string_view kCollectionsUri = "quiver://collections";
inline constexpr std::string_view kCollectionTemplate = "quiver://collections/{name}";
inline constexpr std::string_view kPointTemplate = "quiver://collections/{name}/points/{id}";

std::string to_text(const CollectionUri& uri);

/// Nothing if `text` has no such form.
std::optional<CollectionUri> read_collection_uri(std::string_view text);

}  // namespace quiver::mcp
