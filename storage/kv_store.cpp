#include "storage/kv_store.h"

#include <array>
#include <cstddef>

#include <rocksdb/write_batch.h>

#include "core/mutex.h"
#include "storage/files.h"
#include "storage/rocks.h"
#include "storage/tail_mark.h"

namespace quiver::storage {
namespace {

/// A cluster's truth is small: names, specifications, places.
constexpr std::size_t kCacheBytes = std::size_t{1} << 20;
constexpr std::size_t kWriteBufferBytes = std::size_t{1} << 20;
constexpr const char* kTailFile = "TAIL";

class RocksKvStore final : public KvStore {
 public:
  RocksKvStore(std::unique_ptr<Rocks> rocks, TailMark tail)
      : rocks_(std::move(rocks)), tail_(std::move(tail)) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    std::string value;
    const auto status = rocks_->db().Get({}, rocks_->column(0), key, &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    QV_CHECK(check_rocks(status, "read the metadata"));
    return std::optional<std::string>(std::move(value));
  }

  Result<std::vector<std::pair<std::string, std::string>>> list(
      std::string_view prefix) const override {
    std::vector<std::pair<std::string, std::string>> out;
    rocksdb::ReadOptions options;
    // As in PointStore: else the error of a damaged table may be forgotten.
    options.ignore_range_deletions = true;
    const std::unique_ptr<rocksdb::Iterator> it(
        rocks_->db().NewIterator(options, rocks_->column(0)));
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      out.emplace_back(it->key().ToString(), it->value().ToString());
    }
    QV_CHECK(check_rocks(it->status(), "read the metadata"));
    return out;
  }

  Status write(const std::vector<Write>& writes) override {
    rocksdb::WriteBatch batch;
    for (const auto& write : writes) {
      const auto status = write.value ? batch.Put(rocks_->column(0), write.key, *write.value)
                                      : batch.Delete(rocks_->column(0), write.key);
      QV_CHECK(check_rocks(status, "write the metadata"));
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const MutexLock lock(tail_mutex_);
    QV_CHECK(check_rocks(rocks_->db().Write(options, &batch), "write the metadata"));
    tail_.store(Seq{rocks_->db().GetLatestSequenceNumber()});
    return Done{};
  }

 private:
  std::unique_ptr<Rocks> rocks_;
  /// One write at a time: the mark never runs ahead of the log, nor falls back.
  Mutex tail_mutex_;
  TailMark tail_ QV_GUARDED_BY(tail_mutex_);
};

/// The database takes the first damaged record of its log for the end: what lies behind it, which
/// was acknowledged, would be gone without a word.
Status check_tail(const Rocks& rocks, const TailMark& tail, const std::filesystem::path& file) {
  const std::uint64_t end = rocks.db().GetLatestSequenceNumber();
  if (end >= raw(tail.value())) return Done{};
  return Error{ErrorCode::Corruption,
               "the log of the metadata ends after " + std::to_string(end) + " changes, but " +
                   std::to_string(raw(tail.value())) +
                   " were acknowledged: it is damaged. Restore " + file.parent_path().string() +
                   " from a backup, or remove " + file.string() + " to accept the loss"};
}

}  // namespace

Result<std::unique_ptr<KvStore>> KvStore::open(const std::filesystem::path& directory) {
  QV_CHECK(make_directories(directory, "the metadata directory"));
  const std::array<RocksColumn, 1> columns{{{.name = rocksdb::kDefaultColumnFamilyName}}};
  const RocksResources resources(kCacheBytes, kWriteBufferBytes);
  QV_TRY(auto rocks, Rocks::open(directory, columns, resources, Rocks::Create::IfMissing));
  QV_TRY(auto tail, TailMark::open(directory / kTailFile));
  QV_CHECK(check_tail(*rocks, tail, directory / kTailFile));
  return std::unique_ptr<KvStore>(new RocksKvStore(std::move(rocks), std::move(tail)));
}

}  // namespace quiver::storage
