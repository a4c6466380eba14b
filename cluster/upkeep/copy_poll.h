#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/fan_out.h"
#include "cluster/upkeep/sightings.h"
#include "cluster/view/cluster_view.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// The way to a server, this one included. Errors: Unavailable if it is not known.
using ReachNode = std::function<Result<std::shared_ptr<thrift::NodeHandler>>(
    const ClusterView& view, const NodeId& node)>;

/// Asks servers how far copies are, side by side. Those that do not answer within `patience` are
/// left out.
CopyReports poll_copies(const CallContext& call, const ClusterView& view,
                        const std::map<NodeId, std::vector<thrift::CopyName>>& wanted,
                        const ReachNode& reach, FanOut& fan_out,
                        std::chrono::milliseconds patience);

/// The context of a call of no more than `patience`.
thrift::NodeCall short_call(const CallContext& call, const ClusterView& view,
                            std::chrono::milliseconds patience);

}  // namespace quiver::cluster
