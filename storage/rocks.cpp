#include "storage/rocks.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_buffer_manager.h>

#include "core/log.h"

namespace quiver::storage {
namespace {

/// Databases open at once share the process's descriptors.
constexpr int kOpenFilesMax = 128;
constexpr std::size_t kArenaBlockBytes = std::size_t{64} << 10;
constexpr std::size_t kManifestBytesMax = std::size_t{4} << 20;
constexpr std::size_t kColumnBufferBytesMin = std::size_t{64} << 10;
constexpr double kBloomBitsPerKey = 10;

/// Forwards RocksDB's warnings and errors to our log; all else it says is dropped.
class LogBridge final : public rocksdb::Logger {
 public:
  LogBridge() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) {
      return;
    }
    std::array<char, 1024> text{};
    (void)std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string line(text.data());
    std::replace(line.begin(), line.end(), '\n', ' ');
    QV_LOG_WARN("rocksdb message=\"{}\"", line);
  }
  void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}
};

/// The write was refused for want of room, whichever limit said so.
bool is_out_of_space(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) return true;
  const auto text = status.ToString();
  const auto says = [&](int number) { return text.find(std::strerror(number)) != text.npos; };
  return status.IsIOError() && (says(EDQUOT) || says(EFBIG));
}

rocksdb::ColumnFamilyOptions column_options(const RocksColumn& column,
                                            const RocksResources& resources) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = resources.cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  if (column.bloom) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = column.compress ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  options.write_buffer_size = resources.column_buffer_bytes;
  options.arena_block_size = kArenaBlockBytes;
  options.max_write_buffer_number = 3;
  return options;
}

rocksdb::DBOptions database_options(const RocksResources& resources, Rocks::Create create) {
  rocksdb::DBOptions options;
  options.env = resources.env;
  options.create_if_missing = create == Rocks::Create::IfMissing;
  options.create_missing_column_families = options.create_if_missing;
  options.info_log = resources.logger;
  options.write_buffer_manager = resources.write_buffers;
  // State is written without the write-ahead log; its column families must not come apart.
  options.atomic_flush = true;
  options.avoid_flush_during_shutdown = true;
  // A torn record at the end was never acknowledged. That nothing acknowledged is missing is
  // TailMark's to tell: it knows how far the log must reach.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_open_files = kOpenFilesMax;
  options.table_cache_numshardbits = 2;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_manifest_file_size = kManifestBytesMax;
  options.manifest_preallocation_size = kArenaBlockBytes;
  // Thousands of small databases must not each hold disk space they do not use.
  options.allow_fallocate = false;
  return options;
}

/// Where a table's properties cannot be read the database only warns, and then misreads the table's
/// index: keys would be missing without an error.
Status check_tables(rocksdb::DB& db, std::span<rocksdb::ColumnFamilyHandle* const> columns) {
  for (auto* column : columns) {
    rocksdb::TablePropertiesCollection tables;
    QV_CHECK(check_rocks(db.GetPropertiesOfAllTables(column, &tables), "read the tables"));
    for (const auto& [file, properties] : tables) {
      if (properties != nullptr) continue;
      return Error{ErrorCode::Corruption, "the table " + file + " is damaged: its properties"};
    }
  }
  return Done{};
}

}  // namespace

Error rocks_error(const rocksdb::Status& status, std::string_view doing) {
  const auto message = "cannot " + std::string(doing) + ": ";
  if (is_out_of_space(status)) {
    return {ErrorCode::ResourceExhausted,
            message + "the disk is full; free space and try again (" + status.ToString() + ")"};
  }
  if (status.IsCorruption()) return {ErrorCode::Corruption, message + status.ToString()};
  return {ErrorCode::Unavailable, message + status.ToString()};
}

Status check_rocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return Done{};
  return rocks_error(status, doing);
}

RocksResources::RocksResources(std::size_t block_cache_bytes, std::size_t write_buffer_bytes,
                               rocksdb::Env* environment)
    : cache(rocksdb::NewLRUCache(block_cache_bytes)),
      // Twice what one shard may hold, and room for several that are written to at once.
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(4 * write_buffer_bytes)),
      logger(std::make_shared<LogBridge>()),
      // Every vector is in the log and in the state: two column families share the budget.
      column_buffer_bytes(std::max(write_buffer_bytes / 2, kColumnBufferBytesMin)),
      env(environment != nullptr ? environment : rocksdb::Env::Default()) {}

Result<std::unique_ptr<Rocks>> Rocks::open(const std::filesystem::path& directory,
                                           std::span<const RocksColumn> columns,
                                           const RocksResources& resources, Create create) {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const auto& column : columns) {
    descriptors.emplace_back(column.name, column_options(column, resources));
  }
  std::unique_ptr<Rocks> rocks(new Rocks);
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(database_options(resources, create), directory.string(),
                                        descriptors, &rocks->columns_, &db);
  rocks->db_.reset(db);
  if (status.IsInvalidArgument()) {
    return Error{ErrorCode::Corruption,
                 "the database of the shard is missing or incomplete: " + status.ToString()};
  }
  QV_CHECK(check_rocks(status, "open the database"));
  QV_CHECK(check_tables(*rocks->db_, rocks->columns_));
  return rocks;
}

Rocks::~Rocks() {
  for (auto* handle : columns_) (void)db_->DestroyColumnFamilyHandle(handle);
  if (db_) (void)db_->Close();
}

Status Rocks::flush() {
  return check_rocks(db_->Flush(rocksdb::FlushOptions(), columns_), "flush the database");
}

Status Rocks::checkpoint(const std::filesystem::path& directory) {
  constexpr std::string_view kDoing = "make a checkpoint of the database";
  QV_CHECK(flush());
  rocksdb::Checkpoint* made = nullptr;
  QV_CHECK(check_rocks(rocksdb::Checkpoint::Create(db_.get(), &made), kDoing));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return check_rocks(checkpoint->CreateCheckpoint(directory.string()), kDoing);
}

}  // namespace quiver::storage
