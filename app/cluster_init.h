#pragma once

#include <functional>
#include <string>

#include "app/options.h"
#include "core/call_context.h"
#include "core/result.h"

namespace quiver::app {

/// Makes the server that is alone in the data directory the first of the cluster in `options`; see
/// cluster::move_in(). `say` gets lines for people.
///
/// Errors: InvalidArgument without a cluster in `options`; FailedPrecondition if another process
/// uses the data directory; those of move_in() and of a managed etcd.
Status init_cluster(const CallContext& call, const Options& options,
                    const std::function<void(const std::string&)>& say);

}  // namespace quiver::app
