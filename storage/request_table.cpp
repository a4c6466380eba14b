#include "storage/request_table.h"

#include <string>
#include <string_view>

#include "storage/coding.h"
#include "storage/shard_columns.h"

namespace quiver::storage {
namespace {

// Two orders in one column family, told apart by the first byte of the key.
constexpr char kById = 'r';
constexpr char kBySeq = 's';

std::string id_key(const RequestId& id) {
  return kById + std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

std::string seq_key(Seq seq) {
  return kBySeq + big_endian(raw(seq));
}

}  // namespace

Result<std::optional<RequestTable::Request>> RequestTable::find(const RequestId& id) const {
  if (id.empty()) return std::optional<Request>();
  std::string bytes;
  const auto status = rocks_.db().Get({}, handle(rocks_, Column::Requests), id_key(id), &bytes);
  if (status.IsNotFound()) return std::optional<Request>();
  QV_CHECK(check_rocks(status, "look up a request id"));
  ByteReader in(bytes);
  Request request;
  request.position.term = in.number<Term>();
  request.position.seq = in.number<Seq>();
  request.result.affected = in.number<std::uint64_t>();
  request.result.created = in.number<std::uint64_t>();
  if (!in.complete()) return Error{ErrorCode::Corruption, "a stored request is malformed"};
  return std::optional<Request>(request);
}

void RequestTable::put(StateBatch& batch, const RequestId& id, const Request& request,
                       std::uint64_t log_bytes) {
  ByteWriter by_seq;
  by_seq.number(id.bytes);
  by_seq.number(log_bytes);
  batch.put_request(seq_key(request.position.seq), by_seq.out());
  if (id.empty()) return;
  ByteWriter by_id;
  by_id.number(request.position.term);
  by_id.number(request.position.seq);
  by_id.number(request.result.affected);
  by_id.number(request.result.created);
  batch.put_request(id_key(id), by_id.out());
}

Result<RequestTable::Entry> RequestTable::entry(Seq seq) const {
  std::string bytes;
  QV_CHECK(check_rocks(rocks_.db().Get({}, handle(rocks_, Column::Requests), seq_key(seq), &bytes),
                       "look up request " + std::to_string(raw(seq))));
  ByteReader in(bytes);
  Entry entry;
  entry.request_id.bytes = in.number<decltype(entry.request_id.bytes)>();
  entry.log_bytes = in.number<std::uint64_t>();
  if (!in.complete()) return Error{ErrorCode::Corruption, "a stored request is malformed"};
  return entry;
}

Status RequestTable::erase(StateBatch& batch, Seq first, Seq last) const {
  for (Seq seq = first; seq <= last; seq = next(seq)) {
    QV_TRY(const auto old, entry(seq));
    batch.erase_request(seq_key(seq));
    QV_TRY(const auto request, find(old.request_id));
    // An id that was used again after its window belongs to the later entry.
    if (request && request->position.seq == seq) batch.erase_request(id_key(old.request_id));
  }
  return Done{};
}

Result<RequestTable::Cut> RequestTable::cut_at(Seq first) const {
  QV_TRY(const auto before, entry(Seq{raw(first) - 1}));
  return Cut{first, before.log_bytes};
}

Result<RequestTable::Cut> RequestTable::cut_to_bytes(Seq first, Seq last,
                                                     std::uint64_t bytes) const {
  QV_TRY(const auto end, entry(last));
  // The smallest entry behind which at most `bytes` lie.
  std::uint64_t low = raw(first);
  std::uint64_t high = raw(last) - 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    QV_TRY(const auto candidate, entry(Seq{middle}));
    if (end.log_bytes - candidate.log_bytes <= bytes) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return cut_at(Seq{low + 1});
}

}  // namespace quiver::storage
