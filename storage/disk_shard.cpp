#include "storage/disk_shard.h"

#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "storage/files.h"
#include "storage/manifest.h"
#include "storage/shard_columns.h"
#include "storage/shard_scan.h"
#include "storage/shard_search.h"
#include "storage/sum_content.h"
#include "storage/vector_form.h"

namespace quiver::storage {
namespace {

constexpr const char* kDatabase = "rocksdb";
constexpr const char* kTailFile = "TAIL";
constexpr const char* kIndexFile = "index.graph";
constexpr const char* kManifestFile = "MANIFEST";
/// For the database's own files, beside what its log holds.
constexpr std::uint64_t kRoomToOpen = std::uint64_t{2} << 20;
/// Vectors read at once when the index lacks them.
constexpr std::size_t kVectorsPerRead = 256;
/// Slots left for entries that are in the log and not applied yet.
constexpr std::uint32_t kSlotReserve = std::uint32_t{1} << 26;

Status check_same(const Manifest& stored, const Manifest& wanted) {
  if (stored == wanted) return Done{};
  const auto is = stored.spec.to_json();
  const auto should = wanted.spec.to_json();
  for (const auto& [key, value] : should.items()) {
    if (is.at(key) == value) continue;
    return Error{ErrorCode::FailedPrecondition, "the shard was made with " + key + " " +
                                                    is.at(key).dump() + ", not " + value.dump()};
  }
  return Error{ErrorCode::FailedPrecondition, "the directory holds shard " +
                                                  std::to_string(raw(stored.shard)) + ", not " +
                                                  std::to_string(raw(wanted.shard))};
}

/// Whether the database has ever been written to.
Result<bool> has_data(const Rocks& rocks) {
  for (const auto column : {Column::Meta, Column::Log}) {
    const std::unique_ptr<rocksdb::Iterator> it(rocks.db().NewIterator({}, handle(rocks, column)));
    it->SeekToFirst();
    QV_CHECK(check_rocks(it->status(), "read the database"));
    if (it->Valid()) return true;
  }
  return false;
}

/// A damaged snapshot costs time, never data; without memory or rights opening goes on as little
/// with a new index.
bool is_replaceable(const Error& error) {
  return error.code == ErrorCode::Corruption || error.code == ErrorCode::FailedPrecondition ||
         error.code == ErrorCode::Unavailable;
}

std::uint64_t bytes_below(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code problem;
  // Files come and go meanwhile: what cannot be read does not count.
  for (auto it = std::filesystem::recursive_directory_iterator(directory, problem);
       !problem && it != std::filesystem::recursive_directory_iterator(); it.increment(problem)) {
    std::error_code gone;
    const auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<DiskShard>> DiskShard::open(const std::filesystem::path& directory,
                                                   const CollectionSpec& spec, ShardId shard,
                                                   ShardEnvironment& environment,
                                                   std::shared_ptr<void> lease) {
  QV_CHECK(spec.validate());
  std::unique_ptr<DiskShard> out(new DiskShard(directory, std::move(lease)));
  QV_CHECK(out->open_database(spec, shard, environment));
  out->state_ =
      std::make_unique<ShardState>(spec, environment.options, environment.clock, *out->rocks_);
  QV_TRY(const auto mark, out->state_->points.mark());
  QV_TRY(auto tail, TailMark::open(directory / kTailFile));
  QV_TRY(out->log_, ShardLog::open(*out->rocks_, std::move(tail), mark.applied, mark.log_first));
  QV_CHECK(out->load_slots(mark));
  QV_CHECK(out->load_index(environment));
  out->writer_ = std::make_unique<ShardWriter>(*out->state_, mark);
  out->publish_applied(mark.applied);
  return out;
}

Result<std::unique_ptr<DiskShard>> DiskShard::open_existing(const std::filesystem::path& directory,
                                                            const CollectionSpec& spec,
                                                            ShardId shard,
                                                            ShardEnvironment& environment) {
  if (const auto stored = read_manifest(directory); !stored.ok()) {
    const bool missing = stored.error().code == ErrorCode::NotFound;
    return missing ? Error{ErrorCode::Corruption, "there is no shard in " + directory.string()}
                   : stored.error();
  }
  return open(directory, spec, shard, environment);
}

Status DiskShard::open_database(const CollectionSpec& spec, ShardId shard,
                                ShardEnvironment& environment) {
  const Manifest wanted{spec, shard};
  const auto stored = read_manifest(directory_);
  const auto columns = shard_columns();
  if (stored.ok()) {
    QV_CHECK(check_same(*stored, wanted));
    QV_TRY(rocks_,
           Rocks::open(directory_ / kDatabase, columns, environment.rocks, Rocks::Create::Never));
    return Done{};
  }
  if (stored.error().code != ErrorCode::NotFound) return stored.error();
  QV_CHECK(make_directories(directory_ / kDatabase, "the shard directory"));
  QV_TRY(rocks_,
         Rocks::open(directory_ / kDatabase, columns, environment.rocks, Rocks::Create::IfMissing));
  // The manifest comes last: without it the making was interrupted, and nothing was stored yet.
  QV_TRY(const bool used, has_data(*rocks_));
  if (used) {
    return Error{ErrorCode::Corruption,
                 "the shard's manifest is missing, but its database holds data"};
  }
  return write_manifest(directory_, wanted);
}

Status DiskShard::load_slots(const StateMark& mark) {
  std::vector<LiveSlots::Entry> entries;
  const PointStore::View view(state_->points);
  QV_CHECK(view.each_slot(Slot{0}, [&](Slot slot, const SlotRecord& record) -> Result<bool> {
    if (raw(slot) >= mark.next_slot) {
      return Error{ErrorCode::Corruption, "slot " + std::to_string(raw(slot)) +
                                              " is in use, but the next one is " +
                                              std::to_string(mark.next_slot)};
    }
    entries.push_back({slot, record.expires_at_ms});
    return true;
  }));
  state_->live.change({}, entries);
  return Done{};
}

Status DiskShard::load_index(ShardEnvironment& environment) {
  const auto file = directory_ / kIndexFile;
  const auto& options = environment.options;
  auto index = HnswIndex::open(state_->spec, options, environment.builder, file);
  if (!index.ok() && is_replaceable(index.error())) {
    QV_LOG_WARN("index_rebuilt shard=\"{}\" reason=\"{}\"", directory_.string(),
                index.error().message);
    index = HnswIndex::create(state_->spec, options, environment.builder);
  }
  if (!index.ok()) return index.error();
  index_ = index->get();
  state_->index = std::move(*index);
  const auto missing =
      index_->reconcile(state_->live.visible(std::numeric_limits<std::int64_t>::min()));
  QV_CHECK(insert_missing(missing));
  snapshots_ = std::make_unique<IndexSnapshots>(*index_, *rocks_, state_->live, file);
  snapshots_->changed(missing.size());
  return Done{};
}

Status DiskShard::insert_missing(const SlotSet& missing) {
  const PointStore::View view(state_->points);
  std::vector<Slot> slots;
  const auto insert = [&]() -> Status {
    QV_TRY(const auto vectors, view.vectors(slots));
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!vectors[i]) {
        return Error{ErrorCode::Corruption,
                     "slot " + std::to_string(raw(slots[i])) + " has no stored vector"};
      }
      auto form = index_form(state_->spec.metric, state_->spec.dimension, *vectors[i]);
      if (!form.ok()) return Error{ErrorCode::Corruption, "stored " + form.error().message};
      QV_CHECK(index_->insert(slots[i], *form));
    }
    slots.clear();
    return Done{};
  };
  Status status = Done{};
  missing.for_each([&](Slot slot) {
    slots.push_back(slot);
    if (slots.size() == kVectorsPerRead) status = insert();
    return status.ok();
  });
  QV_CHECK(std::move(status));
  return insert();
}

DiskShard::~DiskShard() {
  if (!writer_ || !log_->check_writable().ok()) return;
  CallContext call;
  if (snapshots_->worth_saving_at_close()) {
    if (const auto saved = snapshots_->save(call); !saved.ok()) {
      QV_LOG_WARN("index_not_saved shard=\"{}\" error=\"{}\"", directory_.string(),
                  saved.error().message);
    }
  }
  if (const auto flushed = rocks_->flush(); !flushed.ok()) {
    QV_LOG_WARN("shard_not_flushed shard=\"{}\" error=\"{}\"", directory_.string(),
                flushed.error().message);
  }
}

Status DiskShard::check_slots() const {
  if (writer_->next_slot() <= std::numeric_limits<std::uint32_t>::max() - kSlotReserve) {
    return Done{};
  }
  return Error{ErrorCode::ResourceExhausted,
               "the shard has given out all its slots; copy its points to a new collection"};
}

Status DiskShard::check_append(const Mutation& mutation) const {
  QV_CHECK(check_slots());
  return check_mutation(state_->spec, mutation);
}

Status DiskShard::append_encoded(std::span<const EncodedEntry* const> entries) {
  return log_->append_encoded(entries);
}

Status DiskShard::append(std::span<const LogEntry> entries) {
  QV_CHECK(check_slots());
  for (const auto& entry : entries) QV_CHECK(check_mutation(state_->spec, entry.mutation));
  return log_->append(entries);
}

Status DiskShard::truncate_after(Seq last) {
  return log_->truncate_after(last, applied_position());
}

LogPosition DiskShard::tail() const {
  return log_->tail();
}

LogPosition DiskShard::applied_position() const {
  const ReadLock lock(mutex_);
  return applied_;
}

Seq DiskShard::applied() const {
  return applied_position().seq;
}

void DiskShard::publish_applied(LogPosition applied) {
  const WriteLock lock(mutex_);
  applied_ = applied;
}

Result<std::vector<MutationResult>> DiskShard::apply_through(Seq committed) {
  QV_CHECK(log_->check_writable());
  if (committed > tail().seq) {
    return Error{ErrorCode::InvalidArgument,
                 "cannot apply entry " + std::to_string(raw(committed)) + ": the log ends at " +
                     std::to_string(raw(tail().seq))};
  }
  std::vector<MutationResult> results;
  const auto changed_before = writer_->vectors_changed();
  for (Seq seq = next(applied()); seq <= committed; seq = next(seq)) {
    auto stored = log_->read(seq);
    auto result = stored.ok() ? writer_->apply(*stored) : stored.error();
    if (!result.ok()) {
      log_->poison(result.error());
      return result.error();
    }
    publish_applied(writer_->mark().applied);
    results.push_back(*result);
  }
  if (const auto retained = writer_->retain(*log_); !retained.ok()) {
    log_->poison(retained.error());
    return retained.error();
  }
  snapshots_->changed(writer_->vectors_changed() - changed_before);
  return results;
}

Result<std::vector<LogEntry>> DiskShard::read_log(Seq from, std::size_t max_bytes) const {
  return log_->read(from, max_bytes);
}

Result<std::vector<EncodedEntry>> DiskShard::read_encoded(Seq from, std::size_t max_bytes) const {
  return log_->read_encoded(from, max_bytes);
}

Seq DiskShard::log_first() const {
  return log_->first();
}

void DiskShard::keep_log_from(Seq seq) {
  writer_->keep_log_from(seq);
}

Status DiskShard::store_replica(const ReplicaState& state) {
  return write_replica_file(directory_, state);
}

Result<ReplicaState> DiskShard::replica() const {
  return read_replica_file(directory_);
}

bool DiskShard::heals_when_opened() const {
  const auto writable = log_->check_writable();
  if (writable.ok() || writable.error().code != ErrorCode::ResourceExhausted) return false;
  return check_room(directory_, log_->wal_bytes() + kRoomToOpen).ok();
}

std::optional<MutationResult> DiskShard::find_request(const RequestId& id) const {
  const auto found = state_->requests.find(id);
  if (!found.ok()) {
    // Applying looks again before it takes effect twice, and reports what is wrong.
    QV_LOG_ERROR("request_not_read shard=\"{}\" error=\"{}\"", directory_.string(),
                 found.error().message);
    return std::nullopt;
  }
  if (!*found) return std::nullopt;
  return (*found)->result;
}

Result<std::vector<ScoredPoint>> DiskShard::search(const CallContext& call,
                                                   const ShardQuery& query) const {
  return search_points(*state_, call, query);
}

Result<std::vector<Point>> DiskShard::get(std::span<const PointId> ids,
                                          Projection projection) const {
  return get_points(*state_, ids, projection);
}

Result<std::vector<Point>> DiskShard::scroll(const CallContext& call,
                                             const ScrollQuery& query) const {
  return scroll_points(*state_, call, query);
}

Result<std::vector<PointId>> DiskShard::ids_matching(const CallContext& call, const Filter& filter,
                                                     std::size_t limit) const {
  ScrollQuery query;
  query.filter = filter;
  query.limit = limit;
  query.projection = {.payload = false, .text = false, .vector = false};
  QV_TRY(auto points, scroll_points(*state_, call, query));
  std::vector<PointId> ids;
  ids.reserve(points.size());
  for (auto& point : points) ids.push_back(std::move(point.id));
  return ids;
}

Result<std::uint64_t> DiskShard::count(const CallContext& call,
                                       const std::optional<Filter>& filter) const {
  return count_points(*state_, call, filter);
}

Result<std::vector<FieldSummary>> DiskShard::fields(std::size_t limit) const {
  return state_->payloads.fields(CallContext{}, limit);
}

std::vector<PointId> DiskShard::expired(std::int64_t now_ms, std::size_t limit) const {
  const auto slots = state_->live.expired(now_ms, limit);
  const PointStore::View view(state_->points);
  const auto owners = view.slots(slots);
  std::vector<PointId> ids;
  if (!owners.ok()) {
    QV_LOG_ERROR("expired_not_read shard=\"{}\" error=\"{}\"", directory_.string(),
                 owners.error().message);
    return ids;
  }
  for (const auto& owner : *owners) {
    if (owner) ids.push_back(owner->id);
  }
  return ids;
}

ShardStats DiskShard::stats() const {
  const auto moment = state_->live.moment(state_->clock.wall_ms());
  return {moment.live - moment.expired.size(), index_->unindexed(), bytes_below(directory_)};
}

Result<ContentSums> DiskShard::content_sums(
    const CallContext& call, const std::function<Status(std::size_t bytes)>& read) const {
  const PointStore::View view(state_->points, PointStore::View::Caching::Leave);
  return sum_content(call, view, read);
}

Status DiskShard::flush_index(const CallContext& call) {
  QV_CHECK(index_->wait_indexed(call));
  return snapshots_->save(call);
}

Result<LogPosition> DiskShard::checkpoint(const std::filesystem::path& directory) {
  QV_CHECK(log_->check_writable());
  QV_CHECK(make_directories(directory, "the checkpoint"));
  QV_CHECK(rocks_->checkpoint(directory / kDatabase));
  for (const char* name : {kTailFile, kIndexFile, kManifestFile}) {
    std::error_code problem;
    const auto from = directory_ / name;
    if (!std::filesystem::exists(from, problem)) continue;
    // The mark is written in place, all else is replaced whole: only the mark needs a copy.
    if (name == kTailFile) {
      std::filesystem::copy_file(from, directory / name, problem);
    } else {
      std::filesystem::create_hard_link(from, directory / name, problem);
    }
    if (problem) return file_error(problem.value(), "make a checkpoint of the shard");
  }
  return tail();
}

}  // namespace quiver::storage
