#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include "app/options.h"
#include "app/stop_switch.h"
#include "core/result.h"

namespace quiver::app {

struct DevCluster {
  /// 1 to 9.
  std::size_t nodes = 3;
  /// All that it writes; kept, and found again at the next start.
  std::filesystem::path directory;
  /// This program.
  std::filesystem::path program;
  /// What each server gets, but for its places.
  Options options;
};

/// Runs a whole cluster on this machine, an etcd and `nodes` servers, until `stop` fires; then all
/// of them have ended. They end with this process, too, however it ends.
///
/// nodes.json in the directory tells of each where it is, once all have joined. A server that ends
/// by itself is not started again.
///
/// `say` gets lines for people.
///
/// Errors: FailedPrecondition if etcd is not installed, or somebody else runs a cluster in the
/// directory; Unavailable, with the end of its log, if one does not start.
Status run_dev_cluster(const DevCluster& wanted, StopSwitch& stop,
                       const std::function<void(const std::string&)>& say);

}  // namespace quiver::app
