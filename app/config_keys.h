#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "core/result.h"

namespace quiver::app {

/// What somebody wrote for a key, before it is understood.
struct Setting {
  /// One for a plain value.
  std::vector<std::string> items;
  bool is_list = false;
  /// In quotes in the file: text, never a number.
  bool is_quoted = false;
};

/// One key of the configuration, described once: parsing, environment, checks and config.yml all
/// follow from it.
struct Key {
  /// Dotted, as in "storage.block_cache_mb".
  std::string name;
  /// One line, without the type, unit and bounds.
  std::string meaning;
  /// Type, unit and bounds, in words.
  std::string domain;
  /// A relative one in a file is relative to that file.
  bool is_path = false;
  bool is_list = false;
  /// Errors: InvalidArgument saying what would be right; then nothing is changed.
  std::function<Status(Options&, const Setting&)> set;
  /// As YAML.
  std::function<std::string(const Options&)> show;
  /// config.yml has a line for it.
  bool is_listed = true;
  /// By the environment only: files are read by others, and command lines shown.
  bool is_secret = false;

  /// QV_STORAGE_BLOCK_CACHE_MB for storage.block_cache_mb.
  std::string env_name() const;
};

/// All keys, those of config.yml in its order.
std::vector<Key> config_keys();

/// config.yml with the defaults: every key with its meaning, type, unit and bounds.
std::string render_config(const Options& options);

}  // namespace quiver::app
