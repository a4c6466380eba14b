#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/items.h"
#include "service/operation.h"
#include "service/steer.h"

namespace quiver::service {

struct MemoryGetRequest {
  std::vector<PointId> ids;
  std::string collection{kDefaultCollection};

  static constexpr auto fields() {
    return describe(field("ids", &MemoryGetRequest::ids).between(1, 100),
                    field("collection", &MemoryGetRequest::collection)
                        .guarded(1, limits::kCollectionNameBytesMax)
                        .optional());
  }
};

struct MemoryGetResponse {
  std::vector<Item> items;
  std::vector<PointId> missing;
  std::optional<std::vector<PointId>> not_returned;

  static constexpr auto fields() {
    return describe(
        field("items", &MemoryGetResponse::items, "Full text and metadata, in the order asked"),
        field("missing", &MemoryGetResponse::missing, "Ids that are not stored"),
        field("not_returned", &MemoryGetResponse::not_returned,
              "Ids that are stored but did not fit this reply: ask for them again"));
  }
};

/// Reads points whole. One reply holds about kReplyTokensMax; the first item comes whatever its
/// size, the ids of those that do not fit are named. An id asked for twice comes once.
///
/// Errors: see Collections::find, Collection::get.
Result<MemoryGetResponse> memory_get(const CallContext& call, Engine& engine,
                                     const MemoryGetRequest& request);

Operation memory_get_operation();

}  // namespace quiver::service
