// What the copies of a shard tell each other.

#include <algorithm>

#include "thrift/codec.h"
#include "thrift/codec_parcels.h"
#include "thrift/node_client.h"
#include "thrift/talk.h"

namespace quiver::thrift {

Reply<std::vector<RefusedParcel>> NodeClient::deliver(const NodeCall& call,
                                                      std::vector<CopyParcel> parcels) {
  const bool entries = std::any_of(parcels.begin(), parcels.end(),
                                   [](const auto& parcel) { return !parcel.entries.empty(); });
  const std::size_t sent = parcels.size();
  QV_TRY(const auto records, encode_parcels(std::move(parcels)));
  const Plan plan{entries ? Purpose::Log : Purpose::Pulse, Kind::Once, call, nullptr};
  wire::DeliverReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.deliver(answer, header, records);
                        }))) {
    return *std::move(lost);
  }
  auto refused = decode_refused(answer, sent);
  if (!refused.ok()) return malformed(refused.error());
  return {std::move(refused).value(), decode_info(answer.header)};
}

Answered NodeClient::offer_snapshot(const ShardCall& call, const SnapshotOffer& offer) {
  QV_TRY(const auto request, encode_offer(offer));
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.offer_snapshot(answer, header, request);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

}  // namespace quiver::thrift
