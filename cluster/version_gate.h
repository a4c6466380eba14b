#pragma once

#include <string_view>

#include "core/result.h"

namespace quiver::cluster {

/// Whether servers of these two versions may be in one cluster: the same major version, and minor
/// versions at most one apart, so that a cluster can be brought up to date server by server.
///
/// Errors: FailedPrecondition naming both; for what is not major.minor.patch, too.
Status check_versions(std::string_view ours, std::string_view theirs);

}  // namespace quiver::cluster
