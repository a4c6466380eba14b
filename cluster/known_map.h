#pragma once

#include <filesystem>
#include <string>

#include "cluster/view/records.h"
#include "cluster/view/view_file.h"

namespace quiver::cluster {

/// The map on the disk, if this server may serve by it while the coordination store cannot be
/// reached: it is of this cluster and of this server, which is a member at the address that it has
/// now, and of a version that goes with those of the others.
///
/// Errors: as ViewFile::read(); FailedPrecondition if it may not be used, saying why; Corruption if
/// a value in it cannot be understood.
Result<ViewFile> known_map(const std::filesystem::path& data_dir, const std::string& cluster_id,
                           const NodeRecord& self);

}  // namespace quiver::cluster
