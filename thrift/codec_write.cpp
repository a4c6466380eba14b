#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "thrift/codec.h"
#include "thrift/codec_calls.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

/// Room for the header and the framing of a write beside its contents.
constexpr std::size_t kWriteBytesMax = kFrameBytesMax - (std::size_t{64} << 10);

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

Error too_large(std::size_t bytes) {
  return wrong("write", std::to_string(bytes) + " bytes; one call carries at most " +
                            std::to_string(kWriteBytesMax) + ": split it");
}

Status check_ids(std::size_t count) {
  if (count <= kIdsMax) return Done{};
  return wrong("ids", "one call carries at most " + std::to_string(kIdsMax) + ", got " +
                          std::to_string(count) + ": split it");
}

Status put_points(wire::WriteRequest& out, std::span<const Point> points) {
  if (points.size() > limits::kBatchPointsMax) {
    return wrong("points", "one call carries at most " + std::to_string(limits::kBatchPointsMax) +
                               ", got " + std::to_string(points.size()) + ": split it");
  }
  QV_TRY(out.upsert, encode_points(points, true));
  out.__isset.upsert = true;
  std::size_t bytes = out.upsert.vectors.size();
  for (const auto& record : out.upsert.points) {
    bytes += record.id.size() + record.payload.size() + record.text.size() + 64;
  }
  if (bytes > kWriteBytesMax) return too_large(bytes);
  return Done{};
}

Status put(wire::WriteRequest& out, const UpsertPoints& upsert) {
  return put_points(out, upsert.points);
}

Status put(wire::WriteRequest& out, const ErasePoints& erase) {
  QV_CHECK(check_ids(erase.ids.size()));
  out.erase.ids = encode_ids(erase.ids);
  out.__isset.erase = true;
  return Done{};
}

Status put(wire::WriteRequest& out, const EraseExpired& erase) {
  QV_CHECK(check_ids(erase.ids.size()));
  out.erase_expired.ids = encode_ids(erase.ids);
  out.erase_expired.before_ms = erase.before_ms;
  out.__isset.erase_expired = true;
  return Done{};
}

Status put(wire::WriteRequest& out, const UpdatePayload& update) {
  QV_CHECK(check_ids(update.ids.size()));
  out.update_payload.ids = encode_ids(update.ids);
  out.update_payload.mode = static_cast<std::int32_t>(update.mode);
  QV_TRY(out.update_payload.payload, encode_json(update.payload, "payload"));
  if (out.update_payload.payload.size() > limits::kPayloadBytesMax) {
    return wrong("payload", "at most " + std::to_string(limits::kPayloadBytesMax) + " bytes, got " +
                                std::to_string(out.update_payload.payload.size()));
  }
  out.__isset.update_payload = true;
  return Done{};
}

Status put(wire::WriteRequest& out, const EraseMatching& erase) {
  QV_TRY(out.erase_matching, encode_filter(erase.filter));
  out.__isset.erase_matching = true;
  return Done{};
}

Status put(wire::WriteRequest& out, const UpsertIf& write) {
  QV_CHECK(check_ids(write.expected.size()));
  QV_CHECK(put_points(out, write.points));
  out.expected.reserve(write.expected.size());
  for (const auto& expectation : write.expected) {
    wire::Expectation record;
    record.id = expectation.id.key();
    if (expectation.digest) record.__set_digest(static_cast<std::int64_t>(*expectation.digest));
    out.expected.push_back(std::move(record));
  }
  out.__isset.expected = true;
  return Done{};
}

Result<UpsertPoints> take_upsert(const wire::PointBatch& batch) {
  if (batch.points.empty() || batch.points.size() > limits::kBatchPointsMax) {
    return wrong("points", "1 to " + std::to_string(limits::kBatchPointsMax) + ", got " +
                               std::to_string(batch.points.size()));
  }
  if (batch.dimension < 1) {
    return wrong("dimension", "1 to " + std::to_string(limits::kDimensionMax) + ", got " +
                                  std::to_string(batch.dimension));
  }
  QV_TRY(auto points, decode_points(batch));
  return UpsertPoints{std::move(points)};
}

Result<std::vector<Expectation>> take_expected(const std::vector<wire::Expectation>& records) {
  if (records.size() > kIdsMax) {
    return wrong("expected",
                 "at most " + std::to_string(kIdsMax) + ", got " + std::to_string(records.size()));
  }
  std::vector<Expectation> expected;
  expected.reserve(records.size());
  for (const auto& record : records) {
    Expectation expectation;
    QV_TRY(expectation.id, decode_id(record.id));
    if (record.__isset.digest) expectation.digest = static_cast<PointDigest>(record.digest);
    expected.push_back(std::move(expectation));
  }
  return expected;
}

Result<UpdatePayload> take_update(const wire::PayloadUpdate& wanted) {
  UpdatePayload update;
  QV_TRY(update.ids, decode_ids(wanted.ids));
  if (wanted.mode != static_cast<std::int32_t>(UpdatePayload::Mode::Merge) &&
      wanted.mode != static_cast<std::int32_t>(UpdatePayload::Mode::Replace)) {
    return wrong("mode", "1 (merge) or 2 (replace), got " + std::to_string(wanted.mode));
  }
  update.mode = static_cast<UpdatePayload::Mode>(wanted.mode);
  QV_TRY(update.payload, decode_json(wanted.payload, "payload"));
  if (!update.payload.is_object()) return wrong("payload", "must be an object");
  return update;
}

}  // namespace

Result<wire::WriteRequest> encode_write(const WriteRequest& request) {
  wire::WriteRequest out;
  if (const auto* mutation = std::get_if<Mutation>(&request)) {
    QV_CHECK(std::visit([&](const auto& value) { return put(out, value); }, *mutation));
  } else if (const auto* conditional = std::get_if<UpsertIf>(&request)) {
    QV_CHECK(put(out, *conditional));
  } else {
    QV_CHECK(put(out, std::get<EraseMatching>(request)));
  }
  return out;
}

Result<WriteRequest> decode_write(const wire::WriteRequest& request) {
  const auto& set = request.__isset;
  const int kinds = int{set.upsert} + int{set.erase} + int{set.erase_expired} +
                    int{set.update_payload} + int{set.erase_matching};
  if (kinds != 1) {
    return wrong("write",
                 "exactly one kind of write that this node knows, got " + std::to_string(kinds));
  }
  if (set.expected && !set.upsert) return wrong("expected", "goes with an upsert alone");
  if (set.upsert) {
    QV_TRY(auto upsert, take_upsert(request.upsert));
    if (set.expected) {
      QV_TRY(auto expected, take_expected(request.expected));
      return WriteRequest(UpsertIf{std::move(upsert.points), std::move(expected)});
    }
    return WriteRequest(Mutation(std::move(upsert)));
  }
  if (set.erase) {
    QV_TRY(auto ids, decode_ids(request.erase.ids));
    return WriteRequest(Mutation(ErasePoints{std::move(ids)}));
  }
  if (set.erase_expired) {
    QV_TRY(auto ids, decode_ids(request.erase_expired.ids));
    return WriteRequest(Mutation(EraseExpired{std::move(ids), request.erase_expired.before_ms}));
  }
  if (set.update_payload) {
    QV_TRY(auto update, take_update(request.update_payload));
    return WriteRequest(Mutation(std::move(update)));
  }
  QV_TRY(auto filter, decode_filter(request.erase_matching));
  return WriteRequest(EraseMatching{std::move(filter)});
}

}  // namespace quiver::thrift
