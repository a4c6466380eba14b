#pragma once

#include <cstddef>

#include "cluster/admin/cluster_admin.h"
#include "service/engine.h"

namespace quiver::service {

/// Ids, names and addresses of servers, plans and operations.
inline constexpr std::size_t kClusterNameMax = 256;

/// Errors: FailedPrecondition if this server was built into something that has none.
inline Result<cluster::ClusterAdmin*> admin_of(const Engine& engine) {
  if (engine.cluster != nullptr) return engine.cluster;
  return Error{ErrorCode::FailedPrecondition, "this server has no administration of a cluster"};
}

}  // namespace quiver::service
