#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace quiver::storage {

/// A small durable ordered map of strings: what a single node keeps its cluster truth in.
///
/// Threads: any.
class KvStore {
 public:
  /// A record that a crash tore at the end of its log was never acknowledged, and is cut with a
  /// warning. Errors: as ShardStore::open; Corruption if acknowledged writes are missing.
  static Result<std::unique_ptr<KvStore>> open(const std::filesystem::path& directory);
  virtual ~KvStore() = default;

  struct Write {
    std::string key;
    /// Absent: remove the key.
    std::optional<std::string> value;
  };
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  /// In order of key.
  virtual Result<std::vector<std::pair<std::string, std::string>>> list(
      std::string_view prefix) const = 0;
  /// All or nothing, durable on return.
  virtual Status write(const std::vector<Write>& writes) = 0;
};

}  // namespace quiver::storage
