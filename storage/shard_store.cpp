#include "storage/shard_store.h"

#include <algorithm>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "core/mutex.h"
#include "storage/disk_shard.h"
#include "storage/files.h"
#include "storage/shard_environment.h"

namespace quiver::storage {
namespace {

constexpr const char* kTrash = "trash";
constexpr std::size_t kCollectionIdDigits = 32;

/// The id names a directory: nothing else may come of it.
Status check_collection_id(const std::string& id) {
  const bool hexadecimal = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hexadecimal && id.size() == kCollectionIdDigits) return Done{};
  return Error{ErrorCode::InvalidArgument, "collection id: 32 hexadecimal digits"};
}

Status remove_tree(const std::filesystem::path& directory) {
  std::error_code problem;
  std::filesystem::remove_all(directory, problem);
  if (problem) return file_error(problem.value(), "remove a dropped collection");
  return Done{};
}

/// The shards that are open, so that none is opened twice or dropped underneath.
class OpenShards {
 public:
  using Key = std::pair<std::string, ShardId>;

  bool add(const Key& key) {
    const MutexLock lock(mutex_);
    return open_.insert(key).second;
  }
  void remove(const Key& key) {
    const MutexLock lock(mutex_);
    open_.erase(key);
  }
  bool has_any_of(const std::string& collection_id) const {
    const MutexLock lock(mutex_);
    return std::any_of(open_.begin(), open_.end(),
                       [&](const Key& key) { return key.first == collection_id; });
  }

 private:
  mutable Mutex mutex_;
  std::set<Key> open_ QV_GUARDED_BY(mutex_);
};

}  // namespace

class ShardStore::State {
 public:
  State(std::filesystem::path root_directory, const Options& options, const Clock& clock)
      : root(std::move(root_directory)), environment(options, clock) {}

  const std::filesystem::path root;
  ShardEnvironment environment;
  OpenShards open;
  Mutex sweeping;
};

ShardStore::ShardStore(std::filesystem::path root, const Options& options, const Clock& clock)
    : state_(std::make_unique<State>(std::move(root), options, clock)) {}

ShardStore::~ShardStore() = default;

Result<std::unique_ptr<Shard>> ShardStore::open(const CollectionSpec& spec, ShardId shard) {
  QV_CHECK(check_collection_id(spec.id));
  const OpenShards::Key key{spec.id, shard};
  if (!state_->open.add(key)) {
    return Error{ErrorCode::FailedPrecondition,
                 "shard " + std::to_string(raw(shard)) + " of the collection is open already"};
  }
  std::shared_ptr<void> lease(nullptr, [this, key](void* /*none*/) { state_->open.remove(key); });
  QV_TRY(auto opened, DiskShard::open(state_->root / spec.id / std::to_string(raw(shard)), spec,
                                      shard, state_->environment, std::move(lease)));
  return std::unique_ptr<Shard>(std::move(opened));
}

Status ShardStore::discard_collection(const std::string& collection_id) {
  QV_CHECK(check_collection_id(collection_id));
  if (state_->open.has_any_of(collection_id)) {
    return Error{ErrorCode::FailedPrecondition, "a shard of the collection is still open"};
  }
  const auto directory = state_->root / collection_id;
  const auto trash = state_->root / kTrash;
  std::error_code problem;
  if (!std::filesystem::exists(directory, problem)) return Done{};
  QV_CHECK(make_directories(trash, "the trash directory"));
  // An id is never given out twice, so that its place in the trash is free, or a rest of itself.
  const auto grave = trash / collection_id;
  if (std::filesystem::exists(grave, problem)) QV_CHECK(remove_tree(grave));
  std::filesystem::rename(directory, grave, problem);
  if (problem) return file_error(problem.value(), "drop a collection");
  QV_CHECK(sync_directory(trash));
  return sync_directory(state_->root);
}

Status ShardStore::drop_collection(const std::string& collection_id) {
  QV_CHECK(discard_collection(collection_id));
  return sweep();
}

Result<std::vector<std::string>> ShardStore::collections() const {
  std::vector<std::string> ids;
  std::error_code problem;
  auto entry = std::filesystem::directory_iterator(state_->root, problem);
  if (problem == std::errc::no_such_file_or_directory) return ids;
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    auto name = entry->path().filename().string();
    if (check_collection_id(name).ok()) ids.push_back(std::move(name));
  }
  if (problem) return file_error(problem.value(), "read the directory of the collections");
  return ids;
}

Status ShardStore::sweep() {
  const auto trash = state_->root / kTrash;
  // One at a time: two that remove the same files would each miss what the other took.
  const MutexLock lock(state_->sweeping);
  std::error_code problem;
  if (!std::filesystem::exists(trash, problem)) return Done{};
  std::vector<std::filesystem::path> graves;
  auto entry = std::filesystem::directory_iterator(trash, problem);
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    graves.push_back(entry->path());
  }
  if (problem) return file_error(problem.value(), "read the trash directory");
  for (const auto& grave : graves) {
    QV_CHECK(remove_tree(grave));
    QV_LOG_INFO("dropped_collection_removed id={}", grave.filename().string());
  }
  return Done{};
}

}  // namespace quiver::storage
