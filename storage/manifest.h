#pragma once

#include <cstdint>
#include <filesystem>

#include "core/collection_spec.h"
#include "core/ids.h"
#include "core/result.h"

namespace quiver::storage {

/// What a shard directory says of itself: which shard of which collection, in which format.
struct Manifest {
  /// Raised by whatever makes older programs misread the directory.
  static constexpr std::uint32_t kFormat = 1;

  CollectionSpec spec;
  ShardId shard{0};

  bool operator==(const Manifest&) const = default;
};

/// Replaces the file MANIFEST of `directory`, durably and whole.
///
/// Errors: ResourceExhausted for a full disk; Unavailable for any other I/O error.
Status write_manifest(const std::filesystem::path& directory, const Manifest& manifest);

/// Errors: NotFound without the file; FailedPrecondition for another format, naming both;
/// Corruption if it is damaged; Unavailable for I/O errors.
Result<Manifest> read_manifest(const std::filesystem::path& directory);

}  // namespace quiver::storage
