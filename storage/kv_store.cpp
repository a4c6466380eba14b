#include "storage/kv_store.h"

#include <array>
#include <cstddef>

#include <rocksdb/write_batch.h>

#include "storage/files.h"
#include "storage/rocks.h"

namespace quiver::storage {
namespace {

/// A cluster's truth is small: names, specifications, places.
constexpr std::size_t kCacheBytes = std::size_t{1} << 20;
constexpr std::size_t kWriteBufferBytes = std::size_t{1} << 20;

class RocksKvStore final : public KvStore {
 public:
  explicit RocksKvStore(std::unique_ptr<Rocks> rocks) : rocks_(std::move(rocks)) {}

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
    const std::unique_ptr<rocksdb::Iterator> it(rocks_->db().NewIterator({}, rocks_->column(0)));
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
    return check_rocks(rocks_->db().Write(options, &batch), "write the metadata");
  }

 private:
  std::unique_ptr<Rocks> rocks_;
};

}  // namespace

Result<std::unique_ptr<KvStore>> KvStore::open(const std::filesystem::path& directory) {
  QV_CHECK(make_directories(directory, "the metadata directory"));
  const std::array<RocksColumn, 1> columns{{{.name = rocksdb::kDefaultColumnFamilyName}}};
  const RocksResources resources(kCacheBytes, kWriteBufferBytes);
  QV_TRY(auto rocks, Rocks::open(directory, columns, resources, Rocks::Create::IfMissing));
  return std::unique_ptr<KvStore>(new RocksKvStore(std::move(rocks)));
}

}  // namespace quiver::storage
