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
/// Threads: the one that owns the shard's writes.
class TailMark {
 public:
  /// Makes the file if it is not there. A damaged mark reads as 0 and is logged.
  static Result<TailMark> open(const std::filesystem::path& file);

  /// The log must reach at least this far; 0 if unknown.
  Seq value() const noexcept { return value_; }
  /// A failure is logged and costs only the guard.
  void store(Seq seq);

 private:
  TailMark(FileDescriptor file, Seq value) : file_(std::move(file)), value_(value) {}

  FileDescriptor file_;
  Seq value_;
};

}  // namespace quiver::storage
