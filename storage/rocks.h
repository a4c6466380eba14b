#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "core/result.h"

namespace quiver::storage {

/// From a library's status to an Error: the only place that does it. `doing` completes "cannot
/// ...".
///
/// Full disk: ResourceExhausted. Damaged bytes: Corruption. All else: Unavailable.
Error rocks_error(const rocksdb::Status& status, std::string_view doing);
/// Done, or rocks_error().
Status check_rocks(const rocksdb::Status& status, std::string_view doing);

/// What the databases of a node share: block cache, memory for unflushed writes, and the way their
/// warnings take to the log.
struct RocksResources {
  /// `environment` replaces the system's files, and must outlive the databases; null: the system.
  RocksResources(std::size_t block_cache_bytes, std::size_t write_buffer_bytes,
                 rocksdb::Env* environment = nullptr);

  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<rocksdb::Logger> logger;
  /// Memory for unflushed writes of one column family, bytes.
  std::size_t column_buffer_bytes;
  rocksdb::Env* env;
};

/// How one column family is kept.
struct RocksColumn {
  std::string name;
  /// Off for values that do not shrink, such as vectors.
  bool compress = true;
  /// On if single keys are looked up, some of which are absent.
  bool bloom = false;
};

/// An open database with its column families.
///
/// State that is written without the write-ahead log reaches the disk in atomic flushes: all column
/// families fall back to the same moment.
///
/// Threads: any, as RocksDB.
class Rocks {
 public:
  enum class Create { IfMissing, Never };

  /// The first of `columns` must be "default".
  ///
  /// Errors: rocks_error(); Unavailable also if another process has it open.
  static Result<std::unique_ptr<Rocks>> open(const std::filesystem::path& directory,
                                             std::span<const RocksColumn> columns,
                                             const RocksResources& resources, Create create);
  ~Rocks();
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;

  rocksdb::DB& db() const noexcept { return *db_; }
  rocksdb::ColumnFamilyHandle* column(std::size_t index) const { return columns_.at(index); }

  /// Makes all that was written durable, write-ahead log or not.
  Status flush();
  /// Makes `directory`, which must not exist, and in it a database that holds what this one holds:
  /// files that do not change any more are hard links. Nobody may write meanwhile.
  Status checkpoint(const std::filesystem::path& directory);

 private:
  Rocks() = default;

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> columns_;
};

}  // namespace quiver::storage
