#include "thrift/node_handler.h"

namespace quiver::thrift {
namespace {

Error no_copies() {
  return {ErrorCode::FailedPrecondition, "this node has no shard with several copies"};
}

}  // namespace

// By value: those that override it take the parcels over.
Reply<std::vector<RefusedParcel>> NodeHandler::deliver(
    const NodeCall& /*call*/,
    std::vector<CopyParcel> /*parcels*/) {  // NOLINT(performance-unnecessary-value-param)
  return no_copies();
}

Answered NodeHandler::offer_snapshot(const ShardCall& /*call*/, const SnapshotOffer& /*offer*/) {
  return no_copies();
}

}  // namespace quiver::thrift
