#include "service/operations/collection_delete.h"

namespace quiver::service {

void CollectionDeleteRequest::check(const Path& path, Problems& problems) const {
  if (!confirm || *confirm == collection) return;
  problems.add(Path(path, "confirm"),
               "must repeat the collection name " + shown(collection) + ", got " + shown(*confirm));
}

namespace {

std::optional<Confirmation> confirmation(const CollectionDeleteRequest& request,
                                         const Json& arguments) {
  Confirmation confirmation;
  confirmation.preview = "collection_info";
  confirmation.preview_arguments = {{"collection", request.collection}};
  confirmation.question = [name = request.collection](const Json& reply) {
    const auto points = reply.at("count").get<std::uint64_t>();
    return Question{"Delete the collection " + shown(name) + " for ever, with " +
                        counted(points, "point", "points") + "?",
                    points};
  };
  confirmation.unseen = "Delete the collection " + shown(request.collection) +
                        " for ever? How many points are in it cannot be told now.";
  confirmation.confirmed = arguments;
  confirmation.confirmed["confirm"] = request.collection;
  return confirmation;
}

}  // namespace

Result<CollectionDeleteResponse> collection_delete(const CallContext& call, Engine& engine,
                                                   const CollectionDeleteRequest& request) {
  if (!request.confirm) {
    return Error{ErrorCode::InvalidArgument,
                 "confirm: required: repeat the collection name " + shown(request.collection)};
  }
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
                   &collection_delete, &confirmation);
}

}  // namespace quiver::service
