#pragma once

#include <vector>

#include <quiver_wire/node_types.h>

#include "thrift/calls.h"

/// Between core types and generated structs: what the copies of a shard tell each other. The rules
/// and errors are those of codec.h.
namespace quiver::thrift {

/// Bytes that a parcel adds to a call.
std::size_t parcel_bytes(const CopyParcel& parcel);

Result<std::vector<wire::ParcelRecord>> encode_parcels(std::vector<CopyParcel> parcels);
Result<std::vector<CopyParcel>> decode_parcels(std::vector<wire::ParcelRecord> records);

wire::DeliverReply encode_refused(const std::vector<RefusedParcel>& refused);
/// `sent`: how many parcels the call had.
Result<std::vector<RefusedParcel>> decode_refused(const wire::DeliverReply& reply,
                                                  std::size_t sent);

Result<wire::SnapshotRequest> encode_offer(const SnapshotOffer& offer);
Result<SnapshotOffer> decode_offer(const wire::SnapshotRequest& request);

}  // namespace quiver::thrift
