#pragma once

#include <filesystem>
#include <memory>

#include "app/lazy_executor.h"
#include "app/options.h"

namespace quiver::app {

/// Makes what carries out operations in the process that owns the data: collections, embedders and
/// the catalogue of operations. Ending it writes index snapshots.
///
/// `program_dir`: directory of the running program, for the model's files.
ExecutorFactory local_engine(const Options& options, const std::filesystem::path& program_dir);

}  // namespace quiver::app
