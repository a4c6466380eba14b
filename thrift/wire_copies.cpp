// What the copies of a shard tell each other, at the server.

#include <algorithm>
#include <utility>

#include "thrift/codec.h"
#include "thrift/codec_parcels.h"
#include "thrift/wire_handler.h"

namespace quiver::thrift {

void WireHandler::deliver(wire::DeliverReply& out, const wire::CallHeader& header,
                          const std::vector<wire::ParcelRecord>& parcels) {
  const bool entries = std::any_of(parcels.begin(), parcels.end(),
                                   [](const auto& parcel) { return !parcel.entries.empty(); });
  on_node(header, entries ? Purpose::Log : Purpose::Pulse, [&](const NodeCall& call) -> Answered {
    QV_TRY(auto decoded, decode_parcels(parcels));
    const auto reply = context_.handler.deliver(call, std::move(decoded));
    if (!reply.ok()) return {reply.error(), reply.info};
    out = encode_refused(reply.result.value());
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::offer_snapshot(wire::Ack& out, const wire::CallHeader& header,
                                 const wire::SnapshotRequest& request) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto offer, decode_offer(request));
    auto answered = context_.handler.offer_snapshot(call, offer);
    out.header = encode_info(answered.info);
    return answered;
  });
}

}  // namespace quiver::thrift
