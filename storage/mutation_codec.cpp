#include "storage/mutation_codec.h"

#include <utility>

#include "core/text.h"
#include "storage/coding.h"

namespace quiver::storage {
namespace {

constexpr std::uint8_t kEntryVersion = 1;
constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);
/// Smallest encoded id: a length of 16 bits, a tag and one byte.
constexpr std::size_t kIdBytesMin = 4;

enum class Kind : std::uint8_t {
  Upsert = 1,
  Erase = 2,
  EraseExpired = 3,
  UpdatePayload = 4,
  ErasePart = 5,
};

void put_id(ByteWriter& out, const PointId& id) {
  const auto key = id.key();
  out.number(static_cast<std::uint16_t>(key.size()));
  out.raw(key.data(), key.size());
}

void put_ids(ByteWriter& out, const std::vector<PointId>& ids) {
  out.number(static_cast<std::uint32_t>(ids.size()));
  for (const auto& id : ids) put_id(out, id);
}

void put_point(ByteWriter& out, const Point& point) {
  put_id(out, point.id);
  out.floats(point.vector);
  out.number(point.created_at_ms);
  out.number(point.expires_at_ms);
  out.number(static_cast<std::uint8_t>(point.text.has_value()));
  if (point.text) out.bytes(*point.text);
  out.bytes(point.payload.dump());
}

void put(ByteWriter& out, const UpsertPoints& upsert) {
  out.number(Kind::Upsert);
  out.number(static_cast<std::uint32_t>(upsert.points.size()));
  for (const auto& point : upsert.points) put_point(out, point);
}

void put(ByteWriter& out, const ErasePoints& erase) {
  out.number(erase.erased_before == 0 ? Kind::Erase : Kind::ErasePart);
  if (erase.erased_before != 0) out.number(erase.erased_before);
  put_ids(out, erase.ids);
}

void put(ByteWriter& out, const EraseExpired& erase) {
  out.number(Kind::EraseExpired);
  out.number(erase.before_ms);
  put_ids(out, erase.ids);
}

void put(ByteWriter& out, const UpdatePayload& update) {
  out.number(Kind::UpdatePayload);
  out.number(update.mode);
  put_ids(out, update.ids);
  out.bytes(update.payload.dump());
}

PointId take_id(ByteReader& in) {
  auto id = PointId::from_key(in.raw(in.number<std::uint16_t>()));
  if (!id.ok()) {
    in.fail();
    return {};
  }
  return std::move(id).value();
}

std::vector<PointId> take_ids(ByteReader& in) {
  std::vector<PointId> ids;
  const std::size_t count = in.count(kIdBytesMin);
  ids.reserve(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) ids.push_back(take_id(in));
  return ids;
}

Json take_object(ByteReader& in) {
  auto json = Json::parse(in.bytes(), nullptr, false);
  if (!json.is_object()) in.fail();
  return json;
}

Point take_point(ByteReader& in) {
  Point point;
  point.id = take_id(in);
  point.vector = in.floats();
  point.created_at_ms = in.number<std::int64_t>();
  point.expires_at_ms = in.number<std::int64_t>();
  const auto has_text = in.number<std::uint8_t>();
  if (has_text > 1) in.fail();
  if (has_text == 1) point.text = std::string(in.bytes());
  point.payload = take_object(in);
  return point;
}

Mutation take_mutation(ByteReader& in) {
  switch (in.number<Kind>()) {
    case Kind::Upsert: {
      UpsertPoints upsert;
      const std::size_t count = in.count(kIdBytesMin);
      upsert.points.reserve(count);
      for (std::size_t i = 0; i < count && in.ok(); ++i) upsert.points.push_back(take_point(in));
      return upsert;
    }
    case Kind::Erase: return ErasePoints{take_ids(in)};
    case Kind::ErasePart: {
      ErasePoints erase;
      erase.erased_before = in.number<std::uint64_t>();
      if (erase.erased_before == 0) in.fail();
      erase.ids = take_ids(in);
      return erase;
    }
    case Kind::EraseExpired: {
      const auto before_ms = in.number<std::int64_t>();
      return EraseExpired{take_ids(in), before_ms};
    }
    case Kind::UpdatePayload: {
      UpdatePayload update;
      update.mode = in.number<UpdatePayload::Mode>();
      if (update.mode != UpdatePayload::Mode::Merge &&
          update.mode != UpdatePayload::Mode::Replace) {
        in.fail();
      }
      update.ids = take_ids(in);
      update.payload = take_object(in);
      return update;
    }
  }
  in.fail();
  return ErasePoints{};
}

Status put_mutation(ByteWriter& out, const Mutation& mutation) {
  try {
    std::visit([&](const auto& value) { put(out, value); }, mutation);
    return Done{};
  } catch (const Json::exception&) {
    return Error{ErrorCode::InvalidArgument, "payload: holds text that is not UTF-8"};
  }
}

Error damaged(Seq seq, std::string_view how) {
  return {ErrorCode::Corruption,
          "log entry " + std::to_string(raw(seq)) + " is damaged: " + std::string(how)};
}

/// The fields before the mutation; what is left in `body` is the mutation.
struct Header {
  Term term{0};
  RequestId request_id;
  std::string_view body;
};

Result<Header> check_entry(Seq expected, std::string_view bytes) {
  if (bytes.size() < kChecksumBytes) return damaged(expected, "it is too short");
  const auto covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader trailer(bytes.substr(covered.size()));
  if (trailer.number<std::uint64_t>() != stable_hash(covered)) {
    return damaged(expected, "its checksum does not match");
  }
  ByteReader in(covered);
  const auto version = in.number<std::uint8_t>();
  if (version != kEntryVersion) {
    return Error{ErrorCode::FailedPrecondition,
                 "log entry " + std::to_string(raw(expected)) + " has format version " +
                     std::to_string(version) + "; this program reads version " +
                     std::to_string(kEntryVersion)};
  }
  Header header;
  header.term = in.number<Term>();
  const auto seq = in.number<Seq>();
  header.request_id.bytes = in.number<decltype(header.request_id.bytes)>();
  if (!in.ok()) return damaged(expected, "it is too short");
  if (seq != expected) return damaged(expected, "it holds another entry's number");
  header.body = covered.substr(sizeof(version) + sizeof(header.term) + sizeof(seq) +
                               header.request_id.bytes.size());
  return header;
}

void put_header(ByteWriter& out, LogPosition position, const RequestId& request) {
  out.number(kEntryVersion);
  out.number(position.term);
  out.number(position.seq);
  out.raw(request.bytes.data(), request.bytes.size());
}

/// With the checksum behind it.
Result<std::string> sealed(ByteWriter& out) {
  out.number(stable_hash(out.out()));
  if (out.out().size() > kLogEntryBytesMax) {
    return Error{ErrorCode::InvalidArgument,
                 "a write of " + std::to_string(out.out().size()) + " bytes; at most " +
                     std::to_string(kLogEntryBytesMax) + " fit: send fewer points at once"};
  }
  return out.take();
}

}  // namespace

Result<std::string> encode_mutation(const Mutation& mutation) {
  ByteWriter out;
  QV_CHECK(put_mutation(out, mutation));
  return out.take();
}

Result<Mutation> decode_mutation(std::string_view bytes) {
  ByteReader in(bytes);
  auto mutation = take_mutation(in);
  if (!in.complete()) return Error{ErrorCode::Corruption, "an encoded mutation is malformed"};
  return mutation;
}

Result<std::string> encode_log_entry(const LogEntry& entry) {
  ByteWriter out;
  put_header(out, {entry.term, entry.seq}, entry.request_id);
  QV_CHECK(put_mutation(out, entry.mutation));
  return sealed(out);
}

Result<std::string> encode_log_entry(LogPosition position, const RequestId& request,
                                     std::string_view mutation) {
  ByteWriter out;
  put_header(out, position, request);
  out.raw(mutation.data(), mutation.size());
  return sealed(out);
}

Result<EncodedEntry> encoded_entry(Seq expected, std::string bytes) {
  QV_TRY(const auto header, check_entry(expected, bytes));
  return EncodedEntry{header.term, expected, header.request_id, std::move(bytes)};
}

Result<LogEntry> decode_log_entry(Seq expected, std::string_view bytes) {
  QV_TRY(const auto header, check_entry(expected, bytes));
  auto mutation = decode_mutation(header.body);
  if (!mutation.ok()) return damaged(expected, "its mutation is malformed");
  return LogEntry{header.term, expected, header.request_id, std::move(mutation).value()};
}

Result<Term> log_entry_term(Seq expected, std::string_view bytes) {
  QV_TRY(const auto header, check_entry(expected, bytes));
  return header.term;
}

}  // namespace quiver::storage
