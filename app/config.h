#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/options.h"
#include "core/result.h"

namespace quiver::app {

using Environment = std::map<std::string, std::string, std::less<>>;

/// Variables that decide about Quiver: those that begin with QV_, and HOME, XDG_DATA_HOME,
/// XDG_RUNTIME_DIR.
Environment process_environment();

/// Where settings come from; a later member wins over an earlier one.
struct ConfigSources {
  /// Named by the user, so it must exist; else QV_CONFIG; else none.
  std::optional<std::filesystem::path> file;
  Environment environment;
  /// Key and value, in the order of the command line. Lists are separated by commas.
  std::vector<std::pair<std::string, std::string>> flags;
  /// For `quiver dev`, which decides itself about all of cluster.* but what concerns time.
  bool for_dev = false;
};

/// Reads, checks and merges all sources over the defaults. Keys that would have no effect are
/// refused.
///
/// Errors: InvalidArgument, one line for each problem, naming file and line, variable or flag and
/// what would be right; NotFound if the named file is missing.
Result<Options> load_options(const ConfigSources& sources);

}  // namespace quiver::app
