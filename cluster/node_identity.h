#pragma once

#include <filesystem>

#include "core/ids.h"
#include "core/result.h"

namespace quiver::cluster {

/// The id of the server whose data lies in `directory`: reads the file NODE there; where there is
/// none, draws an id and keeps it, durably.
///
/// Errors: Corruption if the file holds no id; ResourceExhausted for a full disk; Unavailable for
/// any other I/O error.
Result<NodeId> node_identity(const std::filesystem::path& directory);

}  // namespace quiver::cluster
