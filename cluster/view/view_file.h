#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "cluster/coordination/store.h"
#include "core/ids.h"
#include "core/result.h"

namespace quiver::cluster {

/// The map of the cluster as a server last knew it, file VIEW in its data directory: what it serves
/// by if it starts while the coordination store cannot be reached.
struct ViewFile {
  /// ClusterRecord::id.
  std::string cluster_id;
  /// Whose directory it is.
  NodeId node;
  /// Where the coordination store was.
  std::vector<std::string> coordination;
  /// As ViewSource::map() has it.
  Listing map;

  static constexpr std::size_t kBytesMax = std::size_t{64} << 20U;

  /// Errors: NotFound if there is none; Corruption if it is damaged; FailedPrecondition if another
  /// version of the program wrote it; ResourceExhausted beyond kBytesMax; Unavailable for an I/O
  /// error.
  static Result<ViewFile> read(const std::filesystem::path& data_dir);
  /// Durable on return; after an error the file is the former one, or this one.
  ///
  /// Errors: ResourceExhausted for a full disk or beyond kBytesMax; Corruption if a value is no
  /// text; Unavailable.
  Status write(const std::filesystem::path& data_dir) const;
  /// Durable on return; of a file that is not there, nothing. Errors: Unavailable.
  static Status remove(const std::filesystem::path& data_dir);
};

}  // namespace quiver::cluster
