#pragma once

// A shard on its own, as its replica would drive it.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "storage/disk_shard.h"
#include "tests/storage/scratch.h"

namespace quiver::storage::test {

class ManualClock final : public Clock {
 public:
  std::int64_t wall_ms() const override { return wall_ms_; }
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(wall_ms_.load()));
  }
  void set(std::int64_t wall_ms) { wall_ms_ = wall_ms; }
  void advance(std::int64_t ms) { wall_ms_ += ms; }

 private:
  std::atomic<std::int64_t> wall_ms_{1'700'000'000'000};
};

inline CollectionSpec spec_of(std::uint32_t dimension, Metric metric = Metric::Euclidean) {
  CollectionSpec spec;
  spec.id = std::string(32, 'a');
  spec.name = "test";
  spec.dimension = dimension;
  spec.metric = metric;
  spec.hnsw.m = 8;
  spec.hnsw.ef_construction = 64;
  return spec;
}

inline Point point_of(PointId id, std::vector<float> vector, Json payload = Json::object()) {
  Point point;
  point.id = std::move(id);
  point.vector = std::move(vector);
  point.payload = std::move(payload);
  point.created_at_ms = 1000;
  return point;
}

/// A shard that is opened again and again, and whose machine may crash.
class TestShard {
 public:
  TestShard(std::filesystem::path directory, CollectionSpec spec, const Options& options,
            rocksdb::Env* files = nullptr)
      : directory_(std::move(directory)),
        spec_(std::move(spec)),
        environment_(std::make_unique<ShardEnvironment>(options, clock, files)) {}

  /// Opens it, or makes it, and brings the state up to the log.
  Status open() {
    QV_CHECK(open_only());
    QV_TRY(recovered_, shard_->apply_through(shard_->tail().seq));
    return Done{};
  }
  Status open_only() {
    close();
    QV_TRY(shard_, DiskShard::open(directory_, spec_, ShardId{0}, *environment_));
    return Done{};
  }
  void close() { shard_.reset(); }
  /// Goes on with what the disk would hold if the process died now.
  Status crash() {
    auto copy = directory_;
    copy += "x";
    // RocksDB may be writing in the background: a copy counts if nothing changed meanwhile.
    std::map<std::string, std::uintmax_t> before;
    do {
      before = files();
      std::error_code ignored;
      std::filesystem::remove_all(copy, ignored);
      std::filesystem::copy(directory_, copy, std::filesystem::copy_options::recursive, ignored);
    } while (before != files());
    close();
    std::filesystem::remove_all(directory_);
    directory_ = copy;
    return open();
  }

  LogEntry entry(Mutation mutation, const RequestId& request_id = {}, std::uint64_t ahead = 0) {
    return {Term{1}, Seq{raw(shard_->tail().seq) + 1 + ahead}, request_id, std::move(mutation)};
  }
  Result<MutationResult> write(Mutation mutation, const RequestId& request_id = {}) {
    const std::vector entries{entry(std::move(mutation), request_id)};
    QV_CHECK(shard_->append(entries));
    QV_TRY(const auto results, shard_->apply_through(entries.back().seq));
    return results.back();
  }

  DiskShard* operator->() { return shard_.get(); }
  DiskShard& operator*() { return *shard_; }
  const std::filesystem::path& directory() const { return directory_; }
  const std::vector<MutationResult>& recovered() const { return recovered_; }
  ShardEnvironment& environment() { return *environment_; }

  ManualClock clock;

 private:
  /// Sizes of all files, by name.
  std::map<std::string, std::uintmax_t> files() const {
    std::map<std::string, std::uintmax_t> out;
    std::error_code gone;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_, gone)) {
      out[entry.path().string()] = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    }
    return out;
  }

  std::filesystem::path directory_;
  CollectionSpec spec_;
  std::unique_ptr<ShardEnvironment> environment_;
  std::unique_ptr<DiskShard> shard_;
  std::vector<MutationResult> recovered_;
};

/// Empty if all is well: for INFO and REQUIRE, which then show what was wrong.
template <typename T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? std::string() : result.error().message;
}

inline std::vector<PointId> ids_of(const std::vector<Point>& points) {
  std::vector<PointId> ids;
  for (const auto& point : points) ids.push_back(point.id);
  return ids;
}

inline std::vector<PointId> ids_of(const std::vector<ScoredPoint>& points) {
  std::vector<PointId> ids;
  for (const auto& scored : points) ids.push_back(scored.point.id);
  return ids;
}

}  // namespace quiver::storage::test
