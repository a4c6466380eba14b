#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cluster/coordination/etcd_child.h"
#include "cluster/coordination/etcd_gateway.h"
#include "cluster/options.h"
#include "core/clock.h"
#include "core/http_client.h"

namespace quiver::cluster {

/// The etcd that this server runs for its cluster; null if it is not one of those that do. Returns
/// before it is ready. `http` and `clock` must outlive it.
///
/// Errors: those of EtcdChild::start().
Result<std::unique_ptr<EtcdChild>> start_managed_etcd(const ClusterOptions& options,
                                                      const std::filesystem::path& data_dir,
                                                      HttpClient& http, const Clock& clock);

/// Where the coordination store is, as far as `options` tell; empty: other servers must be asked.
///
/// Errors: InvalidArgument for a server that is not host:port.
Result<std::vector<std::string>> known_endpoints(const ClusterOptions& options);

/// How the store of the cluster is reached at `endpoints`.
EtcdOptions store_options(const ClusterOptions& options, std::vector<std::string> endpoints);

}  // namespace quiver::cluster
