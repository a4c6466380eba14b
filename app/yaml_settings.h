#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "app/config_keys.h"
#include "core/result.h"

namespace quiver::app {

/// One value of a file and where it stands.
struct FileSetting {
  /// Dotted path from the root.
  std::string key;
  Setting setting;
  std::size_t line = 0;
};

/// Reads a YAML file of nested maps into dotted keys; knows nothing of which keys there are.
///
/// Errors: NotFound, PermissionDenied or InvalidArgument naming file and line: not YAML, a key
/// twice, a value that is neither plain nor a list of plain ones, more than 1 MiB.
Result<std::vector<FileSetting>> read_yaml_settings(const std::filesystem::path& file);

}  // namespace quiver::app
