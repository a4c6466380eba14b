#include "storage/point_store.h"

#include <string_view>
#include <utility>

#include "storage/coding.h"
#include "storage/shard_columns.h"

namespace quiver::storage {
namespace {

constexpr std::string_view kMarkKey = "state";
constexpr std::uint8_t kMarkVersion = 1;

std::string slot_key(Slot slot) {
  return big_endian(raw(slot));
}

Error damaged(std::string_view what) {
  return {ErrorCode::Corruption, "a stored " + std::string(what) + " is malformed"};
}

void put_position(ByteWriter& out, LogPosition position) {
  out.number(position.term);
  out.number(position.seq);
}

LogPosition take_position(ByteReader& in) {
  const auto term = in.number<Term>();
  return {term, in.number<Seq>()};
}

Result<PointRecord> decode_point(std::string_view bytes) {
  ByteReader in(bytes);
  PointRecord record;
  record.slot = in.number<Slot>();
  record.version = take_position(in);
  record.created_at_ms = in.number<std::int64_t>();
  record.expires_at_ms = in.number<std::int64_t>();
  if (!in.complete()) return damaged("point");
  return record;
}

Result<SlotRecord> decode_slot(std::string_view bytes) {
  ByteReader in(bytes);
  SlotRecord record;
  record.created_at_ms = in.number<std::int64_t>();
  record.expires_at_ms = in.number<std::int64_t>();
  if (!in.ok()) return damaged("slot");
  QV_TRY(record.id, PointId::from_key(bytes.substr(2 * sizeof(std::int64_t))));
  return record;
}

Result<PayloadRecord> decode_payload(std::string_view bytes) {
  ByteReader in(bytes);
  PayloadRecord record;
  const auto has_text = in.number<std::uint8_t>();
  if (has_text == 1) record.text = std::string(in.bytes());
  record.payload = Json::parse(in.bytes(), nullptr, false);
  if (has_text > 1 || !in.complete() || !record.payload.is_object()) return damaged("payload");
  return record;
}

Result<std::vector<float>> decode_vector(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % sizeof(float) != 0) return damaged("vector");
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

/// Looks up many keys of one column family at once and decodes what is found.
template <typename Record, typename Decode>
Result<std::vector<std::optional<Record>>> lookup(const Rocks& rocks, Column column,
                                                  const rocksdb::ReadOptions& options,
                                                  const std::vector<std::string>& keys,
                                                  Decode decode) {
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  rocks.db().MultiGet(options, handle(rocks, column), keys.size(), slices.data(), values.data(),
                      statuses.data());
  std::vector<std::optional<Record>> out(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    QV_CHECK(check_rocks(statuses[i], "read points"));
    QV_TRY(out[i], decode(values[i].ToStringView()));
  }
  return out;
}

std::vector<std::string> slot_keys(std::span<const Slot> slots) {
  std::vector<std::string> keys;
  keys.reserve(slots.size());
  for (const Slot slot : slots) keys.push_back(slot_key(slot));
  return keys;
}

/// Visits the records of one column family from `from` on.
template <typename Visit>
Status each(const Rocks& rocks, Column column, rocksdb::ReadOptions options,
            const std::string& from, Visit visit) {
  // No range is ever deleted here. RocksDB 7.8 looks for such ranges at the borders of its tables,
  // and there forgets the error of a damaged one: keys would be missing from an iteration that ends
  // well (facebook/rocksdb pull request 11782).
  options.ignore_range_deletions = true;
  const std::unique_ptr<rocksdb::Iterator> it(
      rocks.db().NewIterator(options, handle(rocks, column)));
  for (it->Seek(from); it->Valid(); it->Next()) {
    QV_TRY(const bool more, visit(it->key().ToStringView(), it->value().ToStringView()));
    if (!more) return Done{};
  }
  return check_rocks(it->status(), "read points");
}

Result<Slot> decode_slot_key(std::string_view key) {
  if (key.size() != sizeof(std::uint32_t)) return damaged("slot");
  return Slot{from_big_endian<std::uint32_t>(key)};
}

Result<StateMark> decode_mark(std::string_view bytes) {
  ByteReader in(bytes);
  StateMark mark;
  const auto version = in.number<std::uint8_t>();
  mark.applied = take_position(in);
  mark.next_slot = in.number<std::uint32_t>();
  mark.log_bytes = in.number<std::uint64_t>();
  mark.log_first = in.number<Seq>();
  mark.log_bytes_trimmed = in.number<std::uint64_t>();
  mark.requests_first = in.number<Seq>();
  if (version != kMarkVersion || !in.complete()) return damaged("state mark");
  return mark;
}

Result<StateMark> read_mark(const Rocks& rocks, const rocksdb::ReadOptions& options) {
  std::string bytes;
  const auto status = rocks.db().Get(options, handle(rocks, Column::Meta), kMarkKey, &bytes);
  if (status.IsNotFound()) return StateMark{};
  QV_CHECK(check_rocks(status, "read the state mark"));
  return decode_mark(bytes);
}

}  // namespace

// A batch in memory has no limit here: its operations cannot fail.

void StateBatch::put_point(const Point& point, Slot slot, LogPosition version) {
  const auto id = point.id.key();
  ByteWriter record;
  record.number(slot);
  put_position(record, version);
  record.number(point.created_at_ms);
  record.number(point.expires_at_ms);
  (void)batch_.Put(handle(rocks_, Column::Points), id, record.out());
  ByteWriter owner;
  owner.number(point.created_at_ms);
  owner.number(point.expires_at_ms);
  owner.raw(id.data(), id.size());
  (void)batch_.Put(handle(rocks_, Column::Slots), slot_key(slot), owner.out());
  const std::string_view vector(reinterpret_cast<const char*>(point.vector.data()),
                                point.vector.size() * sizeof(float));
  (void)batch_.Put(handle(rocks_, Column::Vectors), slot_key(slot), vector);
  put_payload(slot, {point.payload, point.text});
}

void StateBatch::erase_point(const PointId& id, Slot slot) {
  (void)batch_.Delete(handle(rocks_, Column::Points), id.key());
  for (const auto column : {Column::Slots, Column::Vectors, Column::Payloads}) {
    (void)batch_.Delete(handle(rocks_, column), slot_key(slot));
  }
}

void StateBatch::put_payload(Slot slot, const PayloadRecord& record) {
  ByteWriter out;
  out.number(static_cast<std::uint8_t>(record.text.has_value()));
  if (record.text) out.bytes(*record.text);
  out.bytes(record.payload.dump());
  (void)batch_.Put(handle(rocks_, Column::Payloads), slot_key(slot), out.out());
}

void StateBatch::put_mark(const StateMark& mark) {
  ByteWriter out;
  out.number(kMarkVersion);
  put_position(out, mark.applied);
  out.number(mark.next_slot);
  out.number(mark.log_bytes);
  out.number(mark.log_first);
  out.number(mark.log_bytes_trimmed);
  out.number(mark.requests_first);
  (void)batch_.Put(handle(rocks_, Column::Meta), kMarkKey, out.out());
}

void StateBatch::put_request(const std::string& key, const std::string& value) {
  (void)batch_.Put(handle(rocks_, Column::Requests), key, value);
}

void StateBatch::erase_request(const std::string& key) {
  (void)batch_.Delete(handle(rocks_, Column::Requests), key);
}

Status PointStore::write(StateBatch& batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return check_rocks(rocks_.db().Write(options, &batch.batch_), "apply the log to the points");
}

Result<StateMark> PointStore::mark() const {
  return read_mark(rocks_, rocksdb::ReadOptions());
}

Result<StateMark> PointStore::flushed_mark() const {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  return read_mark(rocks_, options);
}

PointStore::View::View(const PointStore& store, Caching caching)
    : rocks_(store.rocks_), snapshot_(rocks_.db().GetSnapshot()), caching_(caching) {}

PointStore::View::~View() {
  rocks_.db().ReleaseSnapshot(snapshot_);
}

rocksdb::ReadOptions PointStore::View::options() const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_;
  options.fill_cache = caching_ == Caching::Fill;
  return options;
}

Result<StateMark> PointStore::View::mark() const {
  return read_mark(rocks_, options());
}

Result<std::vector<std::optional<PointRecord>>> PointStore::View::find(
    std::span<const PointId> ids) const {
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const auto& id : ids) keys.push_back(id.key());
  return lookup<PointRecord>(rocks_, Column::Points, options(), keys, decode_point);
}

Result<std::vector<std::optional<SlotRecord>>> PointStore::View::slots(
    std::span<const Slot> slots) const {
  return lookup<SlotRecord>(rocks_, Column::Slots, options(), slot_keys(slots), decode_slot);
}

Result<std::vector<std::optional<PayloadRecord>>> PointStore::View::payloads(
    std::span<const Slot> slots) const {
  return lookup<PayloadRecord>(rocks_, Column::Payloads, options(), slot_keys(slots),
                               decode_payload);
}

Result<std::vector<std::optional<std::vector<float>>>> PointStore::View::vectors(
    std::span<const Slot> slots) const {
  return lookup<std::vector<float>>(rocks_, Column::Vectors, options(), slot_keys(slots),
                                    decode_vector);
}

Status PointStore::View::each_point(
    const std::optional<PointId>& after,
    const std::function<Result<bool>(const PointId&, const PointRecord&)>& visit) const {
  // The smallest key behind a key is that key and a zero byte.
  const auto from = after ? after->key() + '\0' : std::string();
  return each(rocks_, Column::Points, options(), from,
              [&](std::string_view key, std::string_view value) -> Result<bool> {
                QV_TRY(const auto id, PointId::from_key(key));
                QV_TRY(const auto record, decode_point(value));
                return visit(id, record);
              });
}

Status PointStore::View::each_slot(
    Slot from, const std::function<Result<bool>(Slot, const SlotRecord&)>& visit) const {
  return each(rocks_, Column::Slots, options(), slot_key(from),
              [&](std::string_view key, std::string_view value) -> Result<bool> {
                QV_TRY(const auto slot, decode_slot_key(key));
                QV_TRY(const auto record, decode_slot(value));
                return visit(slot, record);
              });
}

Status PointStore::View::each_payload(
    Slot from, const std::function<Result<bool>(Slot, const PayloadRecord&)>& visit) const {
  return each(rocks_, Column::Payloads, options(), slot_key(from),
              [&](std::string_view key, std::string_view value) -> Result<bool> {
                QV_TRY(const auto slot, decode_slot_key(key));
                QV_TRY(const auto record, decode_payload(value));
                return visit(slot, record);
              });
}

}  // namespace quiver::storage
