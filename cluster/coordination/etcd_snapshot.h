#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "core/http_client.h"
#include "core/result.h"

namespace quiver::cluster {

/// Writes a snapshot of the etcd member at `origin` to `file`, which `etcdctl snapshot restore`
/// reads. The file is there whole and durable, or not at all.
///
/// Errors: Unavailable if the member does not give all of it; ResourceExhausted if it cannot be
/// written.
Status save_etcd_snapshot(HttpClient& http, const CallContext& call, const std::string& origin,
                          const std::filesystem::path& file);

/// Snapshots of one member in a directory, named after their times.
///
/// Threads: one.
class EtcdSnapshots {
 public:
  EtcdSnapshots(std::filesystem::path directory, std::size_t kept)
      : directory_(std::move(directory)), kept_(kept) {}

  /// Unix milliseconds of the newest; nothing if there is none.
  std::optional<std::int64_t> newest() const;
  /// Adds one and removes those that are too many.
  ///
  /// Errors: those of save_etcd_snapshot().
  Status take(HttpClient& http, const CallContext& call, const std::string& origin,
              std::int64_t wall_ms) const;

 private:
  std::vector<std::int64_t> times() const;
  std::filesystem::path file(std::int64_t wall_ms) const;

  const std::filesystem::path directory_;
  const std::size_t kept_;
};

}  // namespace quiver::cluster
