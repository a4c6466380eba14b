#include "storage/shard_log.h"

#include <string>
#include <utility>

#include <rocksdb/convenience.h>
#include <rocksdb/write_batch.h>

#include "core/log.h"
#include "storage/coding.h"
#include "storage/mutation_codec.h"
#include "storage/shard_columns.h"

namespace quiver::storage {
namespace {

std::string key_of(Seq seq) {
  return big_endian(raw(seq));
}

Seq seq_of(const rocksdb::Slice& key) {
  return Seq{from_big_endian<std::uint64_t>(key.ToStringView())};
}

std::string text(Seq seq) {
  return std::to_string(raw(seq));
}

Error missing(Seq seq) {
  return {ErrorCode::Corruption, "log entry " + text(seq) + " is missing"};
}

Status check_follows(LogPosition tail, LogPosition entry) {
  if (entry.seq != next(tail.seq)) {
    return Error{
        ErrorCode::InvalidArgument,
        "log entry " + text(entry.seq) + " does not follow: the next is " + text(next(tail.seq))};
  }
  if (entry.term < tail.term) {
    return Error{ErrorCode::InvalidArgument,
                 "log entry " + text(entry.seq) + " has term " + std::to_string(raw(entry.term)) +
                     ", older than the log's " + std::to_string(raw(tail.term))};
  }
  return Done{};
}

}  // namespace

Result<std::unique_ptr<ShardLog>> ShardLog::open(Rocks& rocks, TailMark mark, LogPosition applied,
                                                 Seq first) {
  std::unique_ptr<ShardLog> log(new ShardLog(rocks, std::move(mark)));
  QV_CHECK(log->load(applied, first));
  return log;
}

Status ShardLog::load(LogPosition applied, Seq first) {
  const std::unique_ptr<rocksdb::Iterator> it(
      rocks_.db().NewIterator({}, handle(rocks_, Column::Log)));
  LogPosition tail = applied;
  it->Seek(key_of(first));
  if (it->Valid() ? seq_of(it->key()) != first : first <= applied.seq) {
    QV_CHECK(check_rocks(it->status(), "read the log"));
    return missing(first);
  }
  if (it->Valid()) {
    it->SeekToLast();
    QV_CHECK(check_rocks(it->status(), "read the log"));
    tail.seq = seq_of(it->key());
    QV_TRY(tail.term, log_entry_term(tail.seq, it->value().ToStringView()));
  }
  QV_CHECK(check_rocks(it->status(), "read the log"));
  if (tail.seq < applied.seq) {
    return Error{ErrorCode::Corruption, "the log ends at entry " + text(tail.seq) +
                                            ", but the state has applied " + text(applied.seq)};
  }
  if (tail.seq < mark_.value()) {
    return Error{ErrorCode::Corruption,
                 "the log ends at entry " + text(tail.seq) + ", but entries up to " +
                     text(mark_.value()) +
                     " were acknowledged: the write-ahead log is damaged or missing. Restore the "
                     "shard, or remove its file TAIL to accept the loss"};
  }
  {
    const WriteLock lock(mutex_);
    tail_ = tail;
    first_ = first;
  }
  if (!mark_.refused_behind() || tail.seq == mark_.value()) return Done{};
  QV_LOG_WARN("refused_entries_cut from={} to={} reason=\"their write failed\"",
              raw(next(mark_.value())), raw(tail.seq));
  return truncate_after(mark_.value(), applied);
}

Status ShardLog::append(std::span<const LogEntry> entries) {
  if (entries.empty()) return Done{};
  QV_CHECK(check_writable());
  rocksdb::WriteBatch batch;
  LogPosition end = tail();
  for (const auto& entry : entries) {
    QV_CHECK(check_follows(end, {entry.term, entry.seq}));
    QV_TRY(const auto bytes, encode_log_entry(entry));
    QV_CHECK(check_rocks(batch.Put(handle(rocks_, Column::Log), key_of(entry.seq), bytes),
                         "append to the log"));
    end = {entry.term, entry.seq};
  }
  return write_appended(batch, end);
}

Status ShardLog::append_encoded(std::span<const EncodedEntry* const> entries) {
  if (entries.empty()) return Done{};
  QV_CHECK(check_writable());
  rocksdb::WriteBatch batch;
  LogPosition end = tail();
  for (const auto* entry : entries) {
    QV_CHECK(check_follows(end, {entry->term, entry->seq}));
    QV_CHECK(check_rocks(batch.Put(handle(rocks_, Column::Log), key_of(entry->seq), entry->bytes),
                         "append to the log"));
    end = {entry->term, entry->seq};
  }
  return write_appended(batch, end);
}

Status ShardLog::write_appended(rocksdb::WriteBatch& batch, LogPosition end) {
  if (auto written = write(batch, "append to the log"); !written.ok()) {
    mark_.store_refusal_behind(tail().seq);
    return written;
  }
  mark_.store(end.seq);
  const WriteLock lock(mutex_);
  tail_ = end;
  return Done{};
}

Status ShardLog::truncate_after(Seq last, LogPosition applied) {
  QV_CHECK(check_writable());
  const LogPosition end = tail();
  if (last >= end.seq) return Done{};
  if (last < applied.seq) {
    return Error{ErrorCode::FailedPrecondition, "cannot truncate the log after entry " +
                                                    text(last) + ": entries up to " +
                                                    text(applied.seq) + " are applied"};
  }
  LogPosition left = applied;
  if (last > applied.seq) {
    QV_TRY(const auto stored, read(last));
    left = {stored.entry.term, last};
  }
  rocksdb::WriteBatch batch;
  QV_CHECK(check_rocks(
      batch.DeleteRange(handle(rocks_, Column::Log), key_of(next(last)), key_of(next(end.seq))),
      "truncate the log"));
  // The mark goes first: it may lag behind the log, never run ahead of it.
  mark_.store(last);
  QV_CHECK(write(batch, "truncate the log"));
  const WriteLock lock(mutex_);
  tail_ = left;
  return Done{};
}

Status ShardLog::trim_before(Seq first_kept) {
  if (first_kept <= first()) return Done{};
  if (first_kept > next(tail().seq)) {
    return Error{ErrorCode::InvalidArgument, "cannot trim the log before entry " +
                                                 text(first_kept) + ": it ends at " +
                                                 text(tail().seq)};
  }
  {
    // Before the entries go: a reader that misses one then sees why.
    const WriteLock lock(mutex_);
    first_ = first_kept;
  }
  auto* column = handle(rocks_, Column::Log);
  const auto begin = key_of(Seq{0});
  const auto end = key_of(first_kept);
  QV_CHECK(check_rocks(rocks_.db().DeleteRange({}, column, begin, end), "trim the log"));
  // Whole files go at once, without waiting for a compaction.
  const rocksdb::Slice from(begin);
  const rocksdb::Slice to(end);
  return check_rocks(rocksdb::DeleteFilesInRange(&rocks_.db(), column, &from, &to, false),
                     "trim the log");
}

LogPosition ShardLog::tail() const {
  const ReadLock lock(mutex_);
  return tail_;
}

Seq ShardLog::first() const {
  const ReadLock lock(mutex_);
  return first_;
}

Result<ShardLog::Stored> ShardLog::read(Seq seq) const {
  rocksdb::PinnableSlice bytes;
  const auto status = rocks_.db().Get({}, handle(rocks_, Column::Log), key_of(seq), &bytes);
  if (status.IsNotFound()) return missing(seq);
  QV_CHECK(check_rocks(status, "read log entry " + text(seq)));
  QV_TRY(auto entry, decode_log_entry(seq, bytes.ToStringView()));
  return Stored{std::move(entry), bytes.size()};
}

Status ShardLog::each_from(Seq from, std::size_t max_bytes, const Visit& visit) const {
  const Seq last = tail().seq;
  const std::unique_ptr<rocksdb::Iterator> it(
      rocks_.db().NewIterator({}, handle(rocks_, Column::Log)));
  if (from < first()) {
    return Error{
        ErrorCode::FailedPrecondition,
        "log entry " + text(from) + " is no longer kept: the log begins at " + text(first())};
  }
  std::size_t bytes = 0;
  it->Seek(key_of(from));
  for (Seq seq = from; seq <= last; seq = next(seq), it->Next()) {
    if (!it->Valid() || seq_of(it->key()) != seq) {
      QV_CHECK(check_rocks(it->status(), "read log entry " + text(seq)));
      return missing(seq);
    }
    bytes += it->value().size();
    if (seq != from && bytes > max_bytes) break;
    QV_CHECK(visit(seq, it->value().ToStringView()));
  }
  return Done{};
}

Result<std::vector<LogEntry>> ShardLog::read(Seq from, std::size_t max_bytes) const {
  std::vector<LogEntry> entries;
  QV_CHECK(each_from(from, max_bytes, [&](Seq seq, std::string_view bytes) -> Status {
    QV_TRY(auto entry, decode_log_entry(seq, bytes));
    entries.push_back(std::move(entry));
    return Done{};
  }));
  return entries;
}

Result<std::vector<EncodedEntry>> ShardLog::read_encoded(Seq from, std::size_t max_bytes) const {
  std::vector<EncodedEntry> entries;
  QV_CHECK(each_from(from, max_bytes, [&](Seq seq, std::string_view bytes) -> Status {
    QV_TRY(auto entry, encoded_entry(seq, std::string(bytes)));
    entries.push_back(std::move(entry));
    return Done{};
  }));
  return entries;
}

Status ShardLog::write(rocksdb::WriteBatch& batch, std::string_view doing) {
  rocksdb::WriteOptions options;
  options.sync = true;
  auto status = check_rocks(rocks_.db().Write(options, &batch), doing);
  if (!status.ok()) poison(status.error());
  return status;
}

void ShardLog::poison(const Error& error) {
  const WriteLock lock(mutex_);
  if (!poison_) poison_ = error;
}

Status ShardLog::check_writable() const {
  const ReadLock lock(mutex_);
  if (!poison_) return Done{};
  if (poison_->code == ErrorCode::ResourceExhausted) {
    return Error{
        ErrorCode::ResourceExhausted,
        "the shard has taken no writes since the disk was full, and goes on by itself when "
        "there is room: free space and repeat the write. It was: " +
            poison_->message};
  }
  return Error{
      ErrorCode::Unavailable,
      "the shard takes no writes until it is opened anew, because of an earlier failure: " +
          poison_->message};
}

std::uint64_t ShardLog::wal_bytes() const {
  rocksdb::VectorLogPtr files;
  if (!rocks_.db().GetSortedWalFiles(files).ok()) return 0;
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file->SizeFileBytes();
  return bytes;
}

}  // namespace quiver::storage
