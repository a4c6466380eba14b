#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/limits.h"
#include "service/operation.h"

namespace quiver::service {

struct CollectionDeleteRequest {
  std::string collection;
  std::optional<std::string> confirm;

  static constexpr auto fields() {
    using R = CollectionDeleteRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("confirm", &R::confirm, "The name again, unless the user is asked"));
  }
  void check(const Path& path, Problems& problems) const;
};

struct CollectionDeleteResponse {
  bool deleted = false;
  std::optional<std::uint64_t> points;

  static constexpr auto fields() {
    using R = CollectionDeleteResponse;
    return describe(field("deleted", &R::deleted),
                    field("points", &R::points, "Points that went with it, if known"));
  }
};

/// Removes a collection with all that is in it.
///
/// Errors: InvalidArgument without confirm; see Collections::drop.
Result<CollectionDeleteResponse> collection_delete(const CallContext& call, Engine& engine,
                                                   const CollectionDeleteRequest& request);

Operation collection_delete_operation();

}  // namespace quiver::service
