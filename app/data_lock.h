#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

#include "app/fd.h"
#include "core/result.h"

namespace quiver::app {

/// What the lock file says about the process that owns a data directory.
struct Holder {
  pid_t pid = 0;
  /// Where it listens; empty while it starts.
  std::string socket;
};

/// The right to open a data directory: an flock on <data>/lock, which the kernel gives back when
/// the process ends, however it ends. The file also tells others whom to ask.
///
/// The file stays when the lock goes: removing it would let two processes lock two files.
class DataLock {
 public:
  /// Makes the directory (mode 0700) if it is missing. nullopt: another process holds the lock.
  ///
  /// Errors: FailedPrecondition naming what is wrong with the directory: not writable, not a
  /// directory, on a file system without locks.
  static Result<std::optional<DataLock>> try_acquire(const std::filesystem::path& data_dir);

  /// Tells other processes where this one listens.
  Status publish(const std::string& socket) const;

  /// nullopt if there is no lock file. What it says holds only while the lock is held.
  static std::optional<Holder> read_holder(const std::filesystem::path& data_dir);

 private:
  explicit DataLock(Fd file) : file_(std::move(file)) {}

  Fd file_;
};

/// What an errno of opening or locking the lock file means for the user.
Error lock_error(int problem, const std::filesystem::path& data_dir);

}  // namespace quiver::app
