#pragma once

#include <filesystem>

#include "core/ids.h"
#include "core/result.h"
#include "storage/files.h"

namespace quiver::storage {

/// How far a shard's log reached when a write was last acknowledged, kept beside the database.
///
/// RocksDB takes the first damaged record of its write-ahead log for the end, because a crash can
/// tear the last one. That would silently drop acknowledged entries behind a damage in the middle.
/// The mark is written after the entries are durable, and not synced: it is never ahead of the log,
/// survives a crash of the process exactly and lags some seconds behind after a power failure.
///
/// After a write that failed the mark also says that whatever lies behind it was refused: of such a
/// write, too, the disk may hold all.
///
/// Threads: the one that owns the shard's writes.
class TailMark {
 public:
  /// Makes the file if it is not there. A damaged mark reads as 0 and is logged.
  static Result<TailMark> open(const std::filesystem::path& file);

  /// The log must reach at least this far; 0 if unknown.
  Seq value() const noexcept { return value_; }
  /// Entries behind value() were refused, and must not take effect.
  bool refused_behind() const noexcept { return refused_behind_; }
  /// A failure is logged and costs only the guard.
  void store(Seq seq) { write(seq, false); }
  /// The log was acknowledged up to `seq`, and what comes behind it was refused. Needs no space.
  void store_refusal_behind(Seq seq) { write(seq, true); }

 private:
  explicit TailMark(FileDescriptor file) : file_(std::move(file)) {}
  void write(Seq seq, bool refused_behind);

  FileDescriptor file_;
  Seq value_{0};
  bool refused_behind_ = false;
};

}  // namespace quiver::storage
