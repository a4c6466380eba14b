#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// The files of a checkpoint that a peer reads. Goes with its directory.
///
/// A name that a peer gives is looked up among those that were found here; it never becomes a path.
///
/// Threads: any.
class CheckpointFiles {
 public:
  /// Takes over `directory`, which holds what LocalReplica::checkpoint() made.
  ///
  /// Errors: Unavailable if it cannot be read; ResourceExhausted for more files than travel. Then
  /// the directory is removed.
  static Result<std::shared_ptr<CheckpointFiles>> take(std::filesystem::path directory,
                                                       LogPosition position);
  ~CheckpointFiles();
  CheckpointFiles(const CheckpointFiles&) = delete;
  CheckpointFiles& operator=(const CheckpointFiles&) = delete;

  thrift::Checkpoint describe() const;
  const std::string& id() const noexcept { return id_; }
  /// Of all files.
  std::uint64_t bytes() const noexcept;
  /// Fewer bytes at the end of the file only.
  ///
  /// Errors: NotFound if there is no such file; InvalidArgument behind its end; Unavailable if it
  /// cannot be read.
  Result<std::string> read(const std::string& file, std::uint64_t offset, std::size_t length) const;

 private:
  CheckpointFiles(std::filesystem::path directory, LogPosition position);
  Status find_files();

  const std::filesystem::path directory_;
  /// The name of the directory, which is drawn at random.
  const std::string id_;
  const LogPosition position_;
  /// Bytes by name.
  std::map<std::string, std::uint64_t> files_;
};

}  // namespace quiver::cluster
