#include "storage/shard_store.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "core/log.h"
#include "core/mutex.h"
#include "storage/disk_shard.h"
#include "storage/files.h"
#include "storage/shard_environment.h"

namespace quiver::storage {
namespace {

constexpr const char* kTrash = "trash";
constexpr const char* kIncoming = "incoming";
constexpr const char* kManifestFile = "MANIFEST";
constexpr std::size_t kIdDigits = 32;

/// The id names a directory: nothing else may come of it.
Status check_id(const std::string& id, const char* what) {
  const bool hexadecimal = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hexadecimal && id.size() == kIdDigits) return Done{};
  return Error{ErrorCode::InvalidArgument, std::string(what) + " id: 32 hexadecimal digits"};
}

Status check_place(const ShardPlace& place) {
  QV_CHECK(check_id(place.collection, "collection"));
  return check_id(place.copy.text, "copy");
}

std::string directory_name(const ShardPlace& place) {
  return std::to_string(raw(place.shard)) + '.' + place.copy.text;
}

/// Nothing for a name that directory_name() does not make.
std::optional<ShardPlace> place_of(const std::string& collection, const std::string& directory) {
  const auto dot = directory.find('.');
  if (dot == std::string::npos) return std::nullopt;
  std::uint32_t number = 0;
  const auto* const end = directory.data() + dot;
  const auto read = std::from_chars(directory.data(), end, number);
  ShardPlace place{collection, ShardId{number}, {directory.substr(dot + 1)}};
  const bool right = read.ec == std::errc() && read.ptr == end && check_place(place).ok() &&
                     directory_name(place) == directory;
  if (!right) return std::nullopt;
  return place;
}

/// Names of what is in a directory; none if it does not exist.
Result<std::vector<std::string>> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code problem;
  auto entry = std::filesystem::directory_iterator(directory, problem);
  if (problem == std::errc::no_such_file_or_directory) return names;
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    names.push_back(entry->path().filename().string());
  }
  if (problem) return file_error(problem.value(), "read a directory of shards");
  return names;
}

Status remove_tree(const std::filesystem::path& directory) {
  std::error_code problem;
  std::filesystem::remove_all(directory, problem);
  if (problem) return file_error(problem.value(), "remove a dropped shard");
  return Done{};
}

/// The shards that are open, so that none is opened twice or dropped underneath.
class OpenShards {
 public:
  using Key = ShardPlace;

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
                       [&](const Key& key) { return key.collection == collection_id; });
  }
  bool has(const Key& key) const {
    const MutexLock lock(mutex_);
    return open_.contains(key);
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
  /// Directories of collections come and go with their copies: by one thread at a time.
  Mutex arranging;
};

ShardStore::ShardStore(std::filesystem::path root, const Options& options, const Clock& clock)
    : state_(std::make_unique<State>(std::move(root), options, clock)) {}

ShardStore::~ShardStore() = default;

std::filesystem::path ShardStore::directory_of(const ShardPlace& place) const {
  return state_->root / place.collection / directory_name(place);
}

Result<std::unique_ptr<Shard>> ShardStore::open_place(const CollectionSpec& spec,
                                                      const ShardPlace& place) {
  if (!state_->open.add(place)) {
    return Error{ErrorCode::FailedPrecondition, "shard " + std::to_string(raw(place.shard)) +
                                                    " of the collection is open already"};
  }
  std::shared_ptr<void> lease(nullptr,
                              [this, place](void* /*none*/) { state_->open.remove(place); });
  QV_TRY(auto opened, DiskShard::open(directory_of(place), spec, place.shard, state_->environment,
                                      std::move(lease)));
  return std::unique_ptr<Shard>(std::move(opened));
}

Result<std::unique_ptr<Shard>> ShardStore::create(const CollectionSpec& spec, ShardId shard,
                                                  const CopyId& copy) {
  const ShardPlace place{spec.id, shard, copy};
  QV_CHECK(check_place(place));
  return open_place(spec, place);
}

Result<std::unique_ptr<Shard>> ShardStore::open(const CollectionSpec& spec, ShardId shard,
                                                const CopyId& copy) {
  const ShardPlace place{spec.id, shard, copy};
  QV_CHECK(check_place(place));
  const auto directory = directory_of(place);
  std::error_code problem;
  if (!std::filesystem::exists(directory / kManifestFile, problem) && !problem) {
    return Error{ErrorCode::Corruption,
                 "shard " + std::to_string(raw(shard)) + " of collection \"" + spec.name +
                     "\" belongs on this disk and is not there: " + directory.string() +
                     " is missing or incomplete. Restore it from a backup, or drop the collection"};
  }
  return open_place(spec, place);
}

Status ShardStore::bury_directory(const std::filesystem::path& directory,
                                  const std::string& grave_name) {
  const auto trash = state_->root / kTrash;
  std::error_code problem;
  if (!std::filesystem::exists(directory, problem)) return Done{};
  QV_CHECK(make_directories(trash, "the trash directory"));
  // An id is never given out twice, so that its place in the trash is free, or a rest of itself.
  const auto grave = trash / grave_name;
  QV_CHECK(remove_tree(grave));
  std::filesystem::rename(directory, grave, problem);
  if (problem) return file_error(problem.value(), "drop a shard");
  QV_CHECK(sync_directory(trash));
  return sync_directory(directory.parent_path());
}

Status ShardStore::bury(const ShardPlace& place) {
  QV_CHECK(check_place(place));
  if (state_->open.has(place)) {
    return Error{ErrorCode::FailedPrecondition, "the shard is still open"};
  }
  const MutexLock lock(state_->arranging);
  QV_CHECK(bury_directory(directory_of(place), place.copy.text));
  // The directory of a collection without copies would pass for one whose entry was lost.
  std::error_code ignored;
  std::filesystem::remove(state_->root / place.collection, ignored);
  return Done{};
}

Status ShardStore::bury_collection(const std::string& collection_id) {
  QV_CHECK(check_id(collection_id, "collection"));
  if (state_->open.has_any_of(collection_id)) {
    return Error{ErrorCode::FailedPrecondition, "a shard of the collection is still open"};
  }
  const MutexLock lock(state_->arranging);
  return bury_directory(state_->root / collection_id, collection_id);
}

Status ShardStore::sweep() {
  const auto trash = state_->root / kTrash;
  // One at a time: two that remove the same files would each miss what the other took.
  const MutexLock lock(state_->sweeping);
  QV_TRY(const auto graves, names_in(trash));
  for (const auto& name : graves) {
    QV_CHECK(remove_tree(trash / name));
    QV_LOG_INFO("dropped_files_removed id={}", name);
  }
  return Done{};
}

Result<std::filesystem::path> ShardStore::prepare_incoming(const CopyId& copy) {
  QV_CHECK(check_id(copy.text, "copy"));
  auto directory = state_->root / kIncoming / copy.text;
  QV_CHECK(remove_tree(directory));
  QV_CHECK(make_directories(directory, "the directory of an incoming shard"));
  return directory;
}

Status ShardStore::discard_incoming(const CopyId& copy) {
  QV_CHECK(check_id(copy.text, "copy"));
  return remove_tree(state_->root / kIncoming / copy.text);
}

Result<std::filesystem::path> ShardStore::resume_incoming(const CopyId& copy) {
  QV_CHECK(check_id(copy.text, "copy"));
  auto directory = state_->root / kIncoming / copy.text;
  QV_CHECK(make_directories(directory, "the directory of an incoming shard"));
  return directory;
}

Status ShardStore::discard_all_incoming() {
  QV_TRY(const auto names, names_in(state_->root / kIncoming));
  for (const auto& name : names) {
    const auto directory = state_->root / kIncoming / name;
    std::error_code ignored;
    if (std::filesystem::exists(directory / kTransferFile, ignored)) continue;
    QV_CHECK(remove_tree(directory));
  }
  return Done{};
}

Result<std::vector<CopyId>> ShardStore::resumable_incoming() const {
  std::vector<CopyId> out;
  QV_TRY(const auto names, names_in(state_->root / kIncoming));
  for (const auto& name : names) {
    std::error_code ignored;
    const auto file = state_->root / kIncoming / name / kTransferFile;
    if (check_id(name, "copy").ok() && std::filesystem::exists(file, ignored)) {
      out.push_back(CopyId{name});
    }
  }
  return out;
}

Status ShardStore::adopt(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  const ShardPlace place{spec.id, shard, copy};
  QV_CHECK(check_place(place));
  const auto received = state_->root / kIncoming / copy.text;
  const auto target = directory_of(place);
  std::error_code problem;
  if (std::filesystem::exists(target / kManifestFile, problem)) return Done{};
  QV_CHECK(check_received(spec, shard, copy));
  const MutexLock lock(state_->arranging);
  QV_CHECK(make_directories(target.parent_path(), "the collection's directory"));
  std::filesystem::rename(received, target, problem);
  if (problem) return file_error(problem.value(), "take over a received shard");
  return sync_directory(target.parent_path());
}

Status ShardStore::check_received(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  const auto received = state_->root / kIncoming / copy.text;
  {
    // Whoever opens it reads every checksum of its log and state that opening looks at.
    QV_TRY(const auto opened, DiskShard::open_existing(received, spec, shard, state_->environment));
  }
  return sync_directory(received);
}

Status ShardStore::replace(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  const ShardPlace place{spec.id, shard, copy};
  QV_CHECK(check_place(place));
  if (state_->open.has(place)) {
    return Error{ErrorCode::FailedPrecondition, "the shard is still open"};
  }
  QV_CHECK(check_received(spec, shard, copy));
  const auto received = state_->root / kIncoming / copy.text;
  const auto target = directory_of(place);
  const MutexLock lock(state_->arranging);
  if (::renameat2(AT_FDCWD, received.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0) {
    const int number = errno;
    if (number != EINVAL && number != ENOSYS && number != ENOENT) {
      return file_error(number, "exchange a shard for a received one");
    }
    QV_CHECK(bury_directory(target, copy.text));
    std::error_code problem;
    std::filesystem::rename(received, target, problem);
    if (problem) return file_error(problem.value(), "take over a received shard");
    return sync_directory(target.parent_path());
  }
  QV_CHECK(sync_directory(target.parent_path()));
  QV_CHECK(sync_directory(received.parent_path()));
  return bury_directory(received, copy.text);
}

Result<std::vector<std::string>> ShardStore::collections() const {
  QV_TRY(auto names, names_in(state_->root));
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const auto& name) { return !check_id(name, "collection").ok(); }),
              names.end());
  return names;
}

Result<std::vector<ShardPlace>> ShardStore::copies() const {
  std::vector<ShardPlace> places;
  QV_TRY(const auto ids, collections());
  for (const auto& id : ids) {
    QV_TRY(const auto names, names_in(state_->root / id));
    for (const auto& name : names) {
      if (auto place = place_of(id, name)) places.push_back(std::move(*place));
    }
  }
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace quiver::storage
