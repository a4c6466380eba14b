#pragma once

#include <filesystem>
#include <optional>

#include "cluster/migration/receiver.h"

namespace quiver::cluster {

/// Keeps how far a transfer has come beside its files, so that a later one, after a restart too,
/// goes on with them: file TRANSFER in its directory, of ShardStore::kTransferFile.
///
/// What it says has come is durable. Errors: those of the file system.
Status save_transfer(const Transfer& transfer);
/// Of the checkpoint that is offered, with the files as they must be; nothing if they are not, or
/// it is of another one.
std::optional<Transfer> load_transfer(const std::filesystem::path& directory,
                                      const thrift::Checkpoint& offered);
/// All files have come: what is left is the copy alone.
Status forget_transfer(const std::filesystem::path& directory);

}  // namespace quiver::cluster
