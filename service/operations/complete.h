#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"

namespace quiver::service {

/// What a person is typing the name of.
enum class CompleteKind : std::uint8_t { Collection, Field, Point };

template <>
struct EnumNames<CompleteKind> {
  static constexpr std::array<std::pair<CompleteKind, std::string_view>, 3> names{{
      {CompleteKind::Collection, "collection"},
      {CompleteKind::Field, "field"},
      {CompleteKind::Point, "point"},
  }};
};

struct CompleteRequest {
  CompleteKind kind = CompleteKind::Collection;
  std::string prefix;
  std::optional<std::string> collection;
  std::uint32_t limit = 100;

  static constexpr auto fields() {
    using R = CompleteRequest;
    return describe(field("kind", &R::kind),
                    field("prefix", &R::prefix, "Begins every value; empty: any")
                        .between(0, limits::kPointIdBytesMax)
                        .optional(),
                    field("collection", &R::collection, "Whose fields or points")
                        .between(1, limits::kCollectionNameBytesMax),
                    field("limit", &R::limit).between(1, 100).optional());
  }
  void check(const Path& path, Problems& problems) const;
};

struct CompleteResponse {
  std::vector<std::string> values;
  std::optional<std::uint64_t> total;
  bool has_more = false;

  static constexpr auto fields() {
    using R = CompleteResponse;
    return describe(
        field("values", &R::values, "In order; ids that are integers come as their digits, first"),
        field("total", &R::total, "All there are; absent where counting them would take long"),
        field("has_more", &R::has_more));
  }
};

/// Names that begin as the given one: of collections, of the metadata fields or of the points of a
/// collection. Takes the time of some reads, however many points there are.
///
/// Errors: see Collections::find, Collections::list, Collection::fields, Collection::scroll.
Result<CompleteResponse> complete(const CallContext& call, Engine& engine,
                                  const CompleteRequest& request);

/// Surfaces ask with it for themselves; they do not show it.
Operation complete_operation();

}  // namespace quiver::service
