#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "app/lazy_executor.h"
#include "app/options.h"

namespace quiver::app {

/// Makes what carries out operations in the process that owns the data: collections, embedders and
/// the catalogue of operations. Ending it writes index snapshots.
///
/// With a cluster in `options` this process becomes one of its servers. It joins in the background:
/// calls wait for that a little, and are then refused with Unavailable.
///
/// `program_dir`: directory of the running program, for the model's files. `refused` is told once,
/// on another thread, if the cluster does not take this server and waiting would not help.
ExecutorFactory local_engine(const Options& options, const std::filesystem::path& program_dir,
                             std::function<void(const Error&)> refused = {});

}  // namespace quiver::app
