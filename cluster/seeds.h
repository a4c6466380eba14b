#pragma once

#include <string>
#include <vector>

#include "cluster/options.h"
#include "cluster/peers.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// Servers to ask for the way into the cluster: those of `options`, but for this one.
///
/// Errors: Unavailable if the name of discovery by dns has no address now.
Result<std::vector<std::string>> seeds_of(const CallContext& call, const ClusterOptions& options);

/// What the first of `seeds` that can answer says to `request`.
///
/// Errors: PermissionDenied, FailedPrecondition if one does not take this server: token,
/// certificate, name of the cluster, version, address. Unavailable, naming why, if none answers.
Result<thrift::Welcome> ask_seeds(const CallContext& call, Peers& peers,
                                  const std::vector<std::string>& seeds,
                                  const thrift::JoinCall& request);

}  // namespace quiver::cluster
