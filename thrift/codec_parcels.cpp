#include "thrift/codec_parcels.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/limits.h"
#include "core/text.h"
#include "thrift/codec_node.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

constexpr std::size_t kIdBytes = 32;
/// Ids, lengths and framing of one parcel, and of one entry.
constexpr std::size_t kParcelOverhead = 160;
constexpr std::size_t kEntryOverhead = 8;
/// Room for the header of a call beside its parcels.
constexpr std::size_t kParcelsBytesMax = kFrameBytesMax - (std::size_t{64} << 10);

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

Status check_id(const std::string& id, std::string_view what) {
  const bool known = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (known && id.size() == kIdBytes) return Done{};
  return wrong(what, "an id of 32 hexadecimal digits");
}

Status check_parcel(const CopyParcel& parcel) {
  QV_CHECK(check_id(parcel.collection, "collection"));
  if (raw(parcel.shard) >= limits::kShardsMax) {
    return wrong("shard", "0 to " + std::to_string(limits::kShardsMax - 1) + ", got " +
                              std::to_string(raw(parcel.shard)));
  }
  QV_CHECK(check_id(parcel.from.text, "from_copy"));
  QV_CHECK(check_id(parcel.to.text, "to_copy"));
  if (parcel.message.empty() || parcel.message.size() > kParcelMessageBytesMax) {
    return wrong("message", "1 to " + std::to_string(kParcelMessageBytesMax) + " bytes, got " +
                                std::to_string(parcel.message.size()));
  }
  return Done{};
}

Status check_parcels(const std::vector<CopyParcel>& parcels) {
  std::size_t entries = 0;
  std::size_t bytes = 0;
  for (const auto& parcel : parcels) {
    QV_CHECK(check_parcel(parcel));
    entries += parcel.entries.size();
    bytes += parcel_bytes(parcel);
  }
  if (parcels.empty() || parcels.size() > kParcelsMax) {
    return wrong("parcels",
                 "1 to " + std::to_string(kParcelsMax) + ", got " + std::to_string(parcels.size()));
  }
  if (entries > kParcelEntriesMax) {
    return wrong("entries", "at most " + std::to_string(kParcelEntriesMax) + " in one call, got " +
                                std::to_string(entries));
  }
  if (bytes > kParcelsBytesMax) {
    return wrong("parcels", std::to_string(bytes) + " bytes; one call carries at most " +
                                std::to_string(kParcelsBytesMax));
  }
  return Done{};
}

}  // namespace

std::size_t parcel_bytes(const CopyParcel& parcel) {
  std::size_t bytes = kParcelOverhead + parcel.message.size();
  for (const auto& entry : parcel.entries) bytes += entry.size() + kEntryOverhead;
  return bytes;
}

Result<std::vector<wire::ParcelRecord>> encode_parcels(std::vector<CopyParcel> parcels) {
  QV_CHECK(check_parcels(parcels));
  std::vector<wire::ParcelRecord> out;
  out.reserve(parcels.size());
  for (auto& parcel : parcels) {
    auto& record = out.emplace_back();
    record.collection = std::move(parcel.collection);
    record.shard = static_cast<std::int32_t>(raw(parcel.shard));
    record.from_copy = std::move(parcel.from.text);
    record.to_copy = std::move(parcel.to.text);
    record.message = std::move(parcel.message);
    record.entries = std::move(parcel.entries);
  }
  return out;
}

Result<std::vector<CopyParcel>> decode_parcels(std::vector<wire::ParcelRecord> records) {
  std::vector<CopyParcel> out;
  out.reserve(records.size());
  for (auto& record : records) {
    if (record.shard < 0) return wrong("shard", "not negative");
    out.push_back({std::move(record.collection),
                   ShardId{static_cast<std::uint32_t>(record.shard)},
                   {std::move(record.from_copy)},
                   {std::move(record.to_copy)},
                   std::move(record.message),
                   std::move(record.entries)});
  }
  QV_CHECK(check_parcels(out));
  return out;
}

wire::DeliverReply encode_refused(const std::vector<RefusedParcel>& refused) {
  wire::DeliverReply out;
  for (const auto& parcel : refused) {
    auto& record = out.refused.emplace_back();
    record.index = static_cast<std::int32_t>(parcel.index);
    record.code = static_cast<std::int32_t>(parcel.why.code);
    record.message = utf8_prefix(parcel.why.message, kNameBytesMax);
  }
  return out;
}

Result<std::vector<RefusedParcel>> decode_refused(const wire::DeliverReply& reply,
                                                  std::size_t sent) {
  constexpr auto kLast = static_cast<std::int32_t>(ErrorCode::Internal);
  std::vector<RefusedParcel> out;
  for (const auto& record : reply.refused) {
    if (record.index < 0 || static_cast<std::size_t>(record.index) >= sent) {
      return wrong("index", "of a parcel that was sent, got " + std::to_string(record.index));
    }
    const auto code = record.code >= 1 && record.code <= kLast ? static_cast<ErrorCode>(record.code)
                                                               : ErrorCode::Internal;
    out.push_back({static_cast<std::size_t>(record.index),
                   {code, std::string(utf8_prefix(record.message, kNameBytesMax))}});
  }
  return out;
}

Result<wire::SnapshotRequest> encode_offer(const SnapshotOffer& offer) {
  wire::SnapshotRequest out;
  QV_TRY(auto files, encode_checkpoint(offer.checkpoint));
  out.checkpoint = std::move(files.checkpoint);
  out.files = std::move(files.files);
  out.from_copy = offer.from.text;
  out.message = offer.message;
  QV_CHECK(decode_offer(out));
  return out;
}

Result<SnapshotOffer> decode_offer(const wire::SnapshotRequest& request) {
  wire::CheckpointReply files;
  files.checkpoint = request.checkpoint;
  files.files = request.files;
  SnapshotOffer out;
  QV_TRY(out.checkpoint, decode_checkpoint(files));
  QV_CHECK(check_id(request.from_copy, "from_copy"));
  out.from = {request.from_copy};
  if (request.message.empty() || request.message.size() > kParcelMessageBytesMax) {
    return wrong("message", "1 to " + std::to_string(kParcelMessageBytesMax) + " bytes, got " +
                                std::to_string(request.message.size()));
  }
  out.message = request.message;
  return out;
}

}  // namespace quiver::thrift
