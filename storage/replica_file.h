#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/ids.h"
#include "core/result.h"

namespace quiver::storage {

/// What one of several copies of a shard must not forget, beside its log and its state.
struct ReplicaState {
  /// Entries from `first` on were written in `term`.
  struct Reign {
    Term term{0};
    Seq first{0};

    bool operator==(const Reign&) const = default;
  };

  /// The newest term it has heard of: an older primary is not listened to.
  Term seen{0};
  /// Revision of the coordination store at which the shard's record named this copy.
  std::uint64_t born = 0;
  /// In which term which entries were written, those that the log no longer holds included. Terms
  /// and entries rise.
  std::vector<Reign> reigns;

  bool operator==(const ReplicaState&) const = default;
};

/// Replaces the file REPLICA of `directory`, durably and whole.
///
/// Errors: ResourceExhausted for a full disk; Unavailable for any other I/O error.
Status write_replica_file(const std::filesystem::path& directory, const ReplicaState& state);

/// Errors: NotFound without the file; FailedPrecondition for another format, naming both;
/// Corruption if it is damaged; Unavailable for I/O errors.
Result<ReplicaState> read_replica_file(const std::filesystem::path& directory);

}  // namespace quiver::storage
