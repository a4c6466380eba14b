#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/mutation.h"
#include "core/mutex.h"
#include "core/result.h"
#include "storage/mutation_codec.h"
#include "storage/rocks.h"
#include "storage/tail_mark.h"

namespace quiver::storage {

/// Ordered, durable, gap-free mutations of one shard: the column family `log`.
///
/// After a failed write nothing more is accepted until the log is opened anew: what a failed sync
/// left on disk is known only then.
///
/// Threads: append(), truncate_after() and trim_before() come from one thread at a time; all else
/// from any.
class ShardLog {
 public:
  /// `rocks` must outlive the log. `applied` is the position that the state has reached: an empty
  /// log ends there. `first` is the oldest entry that is kept; what lies before it is rubbish of an
  /// interrupted trim.
  ///
  /// Errors: Corruption if the log ends before `applied`, begins behind `first`, or ends before
  /// what `mark` says was acknowledged. Entries that it says were refused are cut off.
  static Result<std::unique_ptr<ShardLog>> open(Rocks& rocks, TailMark mark, LogPosition applied,
                                                Seq first);

  /// Durable on return, all or nothing: group commit of all entries, which follow tail() without a
  /// gap and with terms that do not fall.
  ///
  /// Errors: InvalidArgument on a gap, an older term or an entry that cannot be stored;
  /// ResourceExhausted when the disk is full; Unavailable after any failed write.
  Status append(std::span<const LogEntry> entries);
  Status append_encoded(std::span<const EncodedEntry* const> entries);
  /// Forgets the entries behind `last`, durably. `applied` is the position of the state.
  ///
  /// Errors: FailedPrecondition if last < applied.seq; else as append().
  Status truncate_after(Seq last, LogPosition applied);
  /// Forgets the entries before `first`; a crash may bring their bytes back. The caller has made
  /// durable that the log begins at `first`, and that the state has applied what lies before.
  Status trim_before(Seq first);

  LogPosition tail() const;
  /// The oldest entry kept; the one behind tail() if there is none.
  Seq first() const;
  struct Stored {
    LogEntry entry;
    /// Of its encoding.
    std::size_t bytes = 0;
  };
  /// Errors: Corruption naming the entry.
  Result<Stored> read(Seq seq) const;
  /// At least one entry if there is any from `from` on; at most about `max_bytes`.
  ///
  /// Errors: FailedPrecondition if `from` was trimmed; Corruption naming the entry.
  Result<std::vector<LogEntry>> read(Seq from, std::size_t max_bytes) const;
  Result<std::vector<EncodedEntry>> read_encoded(Seq from, std::size_t max_bytes) const;

  /// Refuses writes from here on: the shard met an error that only opening it anew can clear.
  void poison(const Error& error);
  /// Errors: the one that poisoned the log, as a refusal.
  Status check_writable() const;
  /// Bytes of write-ahead log that opening anew reads and may write out as tables.
  std::uint64_t wal_bytes() const;

 private:
  ShardLog(Rocks& rocks, TailMark mark) : rocks_(rocks), mark_(std::move(mark)) {}

  Status load(LogPosition applied, Seq first);
  Status write(rocksdb::WriteBatch& batch, std::string_view doing);
  /// The batch ends the log at `end`.
  Status write_appended(rocksdb::WriteBatch& batch, LogPosition end);
  using Visit = std::function<Status(Seq, std::string_view)>;
  Status each_from(Seq from, std::size_t max_bytes, const Visit& visit) const;

  Rocks& rocks_;
  TailMark mark_;
  mutable SharedMutex mutex_;
  LogPosition tail_ QV_GUARDED_BY(mutex_);
  Seq first_ QV_GUARDED_BY(mutex_){1};
  std::optional<Error> poison_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::storage
