#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/items.h"
#include "service/operation.h"
#include "service/steer.h"
#include "service/values.h"

namespace quiver::service {

struct MemoryGetRequest {
  std::vector<PointId> ids;
  std::string collection{kDefaultCollection};
  std::optional<std::uint64_t> text_offset;
  ResponseFormat response_format = ResponseFormat::Concise;
  std::optional<ReadLevel> consistency;

  static constexpr auto fields() {
    using R = MemoryGetRequest;
    return describe(
        field("ids", &R::ids).between(1, 100),
        field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax).optional(),
        field("text_offset", &R::text_offset, "next_offset of a cut text, to read on; one id"),
        field("response_format", &R::response_format, "detailed adds times").optional(),
        field("consistency", &R::consistency, kConsistencyDoc).unlisted());
  }
  void check(const Path& path, Problems& problems) const;
};

struct MemoryGetResponse {
  std::vector<Item> items;
  std::optional<std::vector<PointId>> missing;
  std::optional<std::vector<PointId>> not_returned;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = MemoryGetResponse;
    return describe(
        field("items", &R::items, "Text and metadata, in the order asked"),
        field("missing", &R::missing, "Ids that are not stored"),
        field("not_returned", &R::not_returned, "Ids that are stored but did not fit this reply"),
        field("advice", &R::advice, "How to see the rest"));
  }
};

/// Reads points whole, as far as they fit one reply: the ids of those that do not are named, and a
/// text that alone is too long comes in pieces, without the metadata from the second on. An id
/// asked for twice comes once.
///
/// Errors: InvalidArgument for an offset behind the text or within a character; see
/// Collections::find, Collection::get.
Result<MemoryGetResponse> memory_get(const CallContext& call, Engine& engine,
                                     const MemoryGetRequest& request);

Operation memory_get_operation();

}  // namespace quiver::service
