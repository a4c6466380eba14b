#include "service/operations/collection_delete.h"

namespace quiver::service {

void CollectionDeleteRequest::check(const Path& path, Problems& problems) const {
  if (confirm == collection) return;
  problems.add(Path(path, "confirm"),
               "must repeat the collection name " + shown(collection) + ", got " + shown(confirm));
}

Result<CollectionDeleteResponse> collection_delete(const CallContext& call, Engine& engine,
                                                   const CollectionDeleteRequest& request) {
  QV_TRY(const auto points, engine.collections.drop(call, request.collection));
  engine.changes.publish({Change::Kind::CollectionsChanged, request.collection});
  return CollectionDeleteResponse{true, points};
}

Operation collection_delete_operation() {
  return operation(About{"collection_delete", "Delete a collection",
                         "Permanently delete a collection and all its data. confirm must repeat "
                         "the name.",
                         Toolset::Collection, Access::Admin, Effects{true, true},
                         Route{"DELETE", "/v1/collections/{collection}"}},
                   &collection_delete);
}

}  // namespace quiver::service
