#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.h"

namespace quiver::cluster {

/// To which cluster a data directory belongs, file CLUSTER there. Without it the directory is of a
/// server that is alone, or empty.
struct MembershipFile {
  /// ClusterRecord::name and id.
  std::string cluster;
  std::string cluster_id;
  /// The catalogue in the directory is being copied into the coordination store: until that is
  /// done nobody may serve the directory.
  bool is_moving_in = false;

  bool operator==(const MembershipFile&) const = default;

  /// Nothing if there is no such file.
  ///
  /// Errors: Corruption if it cannot be understood; Unavailable for an I/O error.
  static Result<std::optional<MembershipFile>> read(const std::filesystem::path& data_dir);
  /// Durable on return. Errors: ResourceExhausted for a full disk; Unavailable.
  Status write(const std::filesystem::path& data_dir) const;
};

/// Whether a server may serve the directory alone. Errors: FailedPrecondition if it belongs to a
/// cluster; as MembershipFile::read().
Status check_alone(const std::filesystem::path& data_dir);

}  // namespace quiver::cluster
