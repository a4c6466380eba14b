#pragma once

#include <chrono>
#include <vector>

#include "app/doctor.h"
#include "cluster/options.h"

namespace quiver::app {

struct ClusterProbe {
  /// Of one server or endpoint that is asked.
  std::chrono::milliseconds time{3'000};
  /// A name to be looked up in PATH, or a path.
  std::string etcd = "etcd";
};

/// Looks at what a server needs of its cluster: the secret, the TLS files, etcd, and whether etcd
/// and the servers to join through answer. Empty for a server that is alone. Changes nothing.
std::vector<Finding> check_cluster(const cluster::ClusterOptions& options,
                                   const ClusterProbe& probe = {});

}  // namespace quiver::app
