#include "cluster/local_collections.h"

#include <chrono>
#include <utility>

#include "cluster/coordination/embedded_store.h"
#include "core/log.h"
#include "core/text.h"

namespace quiver::cluster {
namespace {

constexpr std::string_view kSpecs = "colls/";
constexpr std::string_view kNames = "names/";
// Answers of deletions, by request id, for clients that repeat one.
constexpr std::string_view kDropped = "dropped/";
// Collections that are deleted and whose files may still be there.
constexpr std::string_view kDropping = "dropping/";
// Threads for the shards of one call: this node's processors bound what more could bring.
constexpr std::size_t kFanOutThreads = 4;
constexpr std::chrono::seconds kHousekeepingEvery{1};
// A client that repeats a deletion does so within its own timeout.
constexpr std::int64_t kDroppedKeptMs = std::int64_t{3600} * 1000;

std::string key(std::string_view prefix, std::string_view rest) {
  return std::string(prefix).append(rest);
}

/// What differs between a wanted spec and the one that is there; empty if nothing does.
std::string difference(const CollectionSpec& there, const CollectionSpec& wanted) {
  const Json have = there.to_json();
  const Json want = wanted.to_json();
  std::string out;
  for (const char* field : {"dimension", "metric", "embedder", "shards", "replicas", "hnsw"}) {
    if (have[field] == want[field]) continue;
    if (!out.empty()) out += "; ";
    out += std::string(field) + " is " + have[field].dump() + ", asked for " + want[field].dump();
  }
  return out;
}

}  // namespace

LocalCollections::LocalCollections(std::filesystem::path data_dir, const storage::Options& options,
                                   const Clock& clock)
    : data_dir_(std::move(data_dir)),
      clock_(clock),
      fan_out_(kFanOutThreads),
      shards_(data_dir_ / "shards", options, clock) {}

LocalCollections::~LocalCollections() {
  close();
}

Status LocalCollections::ensure_open() {
  if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping; try again later"};
  if (store_) return Done{};
  QV_TRY(auto store, EmbeddedStore::open(data_dir_ / "meta"));
  store_ = std::move(store);
  if (auto loaded = load_catalogue(); !loaded.ok()) {
    store_.reset();
    collections_.clear();
    return loaded;
  }
  housekeeper_ = std::thread([this] { keep_house(); });
  return Done{};
}

Status LocalCollections::load_catalogue() {
  std::set<std::string> known;
  QV_TRY(const auto unfinished, store_->list(kDropping));
  for (const auto& entry : unfinished) {
    const auto id = entry.key.substr(kDropping.size());
    known.insert(id);
    discard_files(id);
  }
  QV_TRY(const auto entries, store_->list(kSpecs));
  for (const auto& entry : entries) {
    const Json json = Json::parse(entry.value, nullptr, false);
    QV_TRY(auto spec, CollectionSpec::from_json(json));
    known.insert(spec.id);
    std::string name = spec.name;
    collections_.emplace(std::move(name),
                         std::make_shared<ShardedCollection>(std::move(spec), shards_, fan_out_));
  }
  return check_complete(known);
}

Status LocalCollections::check_complete(const std::set<std::string>& known) const {
  // Files are made after the entry and removed before it. Without this check a damaged catalogue,
  // of which the database below may notice nothing, would pass for one without collections.
  QV_TRY(const auto stored, shards_.collections());
  for (const auto& id : stored) {
    if (known.contains(id)) continue;
    return Error{ErrorCode::Corruption,
                 "the catalogue in " + (data_dir_ / "meta").string() +
                     " is damaged: it lacks the collection whose files are in " +
                     (data_dir_ / "shards" / id).string() +
                     ". Restore it from a backup, or move that directory away to go on without "
                     "the collection"};
  }
  return Done{};
}

void LocalCollections::discard_files(const std::string& collection_id) {
  auto discarded = shards_.discard_collection(collection_id);
  if (discarded.ok()) {
    const auto forgotten = store_->txn({}, {{key(kDropping, collection_id), std::nullopt}});
    if (!forgotten.ok()) discarded = forgotten.error();
  }
  if (!discarded.ok()) {
    QV_LOG_WARN("collection_files_left id={} error={} remedy=retried_at_start", collection_id,
                discarded.error().message);
  }
}

void LocalCollections::empty_trash() {
  if (const auto swept = shards_.sweep(); !swept.ok()) {
    QV_LOG_WARN("trash_left error=\"{}\" remedy=retried_at_start", swept.error().message);
  }
}

Error LocalCollections::not_found(std::string_view name) const {
  constexpr std::size_t kNamed = 20;
  std::vector<std::string> names;
  std::string listed;
  for (const auto& [known, unused] : collections_) {
    names.push_back(known);
    if (names.size() <= kNamed) listed += (listed.empty() ? "" : ", ") + known;
  }
  if (names.size() > kNamed) {
    listed += " and " + std::to_string(names.size() - kNamed) + " more (collection_list)";
  }
  std::string message = "collection \"" + std::string(utf8_prefix(name, 80)) + "\" not found.";
  const std::string near = nearest_word(name, names);
  if (!near.empty()) message += " Did you mean \"" + near + "\"?";
  message += names.empty() ? " There are none yet: use collection_create or memory_store."
                           : " Collections: " + listed + ".";
  return {ErrorCode::NotFound, std::move(message)};
}

Result<std::shared_ptr<Collection>> LocalCollections::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  QV_CHECK(ensure_open());
  const auto found = collections_.find(name);
  if (found == collections_.end()) return not_found(name);
  return std::shared_ptr<Collection>(found->second);
}

Result<Collections::Created> LocalCollections::create(const CallContext& call,
                                                      CollectionSpec spec) {
  QV_CHECK(call.check());
  QV_CHECK(spec.validate());
  if (spec.replication_factor > 1) {
    return Error{ErrorCode::FailedPrecondition,
                 "replicas: " + std::to_string(spec.replication_factor) +
                     " copies need as many nodes; this server runs alone, so use 1"};
  }
  const std::lock_guard lock(mutex_);
  QV_CHECK(ensure_open());
  const auto found = collections_.find(spec.name);
  if (found == collections_.end()) return register_collection(std::move(spec));
  const std::string differs = difference(found->second->spec(), spec);
  if (!differs.empty()) {
    return Error{ErrorCode::AlreadyExists,
                 "collection \"" + spec.name + "\" exists with other settings: " + differs};
  }
  return Created{found->second, true};
}

Result<Collections::Created> LocalCollections::register_collection(CollectionSpec spec) {
  spec.id = RequestId::random().hex();
  spec.created_at_ms = clock_.wall_ms();
  const std::string name_key = key(kNames, spec.name);
  const std::string spec_key = key(kSpecs, spec.id);
  QV_TRY(const auto outcome, store_->txn({{name_key, Revision{0}}, {spec_key, Revision{0}}},
                                         {{name_key, spec.id}, {spec_key, spec.to_json().dump()}}));
  if (outcome == TxnOutcome::Conflict) {
    return Error{ErrorCode::Internal, "the catalogue and the coordination store disagree"};
  }
  QV_LOG_INFO("collection_created name={} id={} shards={}", spec.name, spec.id, spec.shard_count);
  std::string name = spec.name;
  auto made = std::make_shared<ShardedCollection>(std::move(spec), shards_, fan_out_);
  collections_.emplace(std::move(name), made);
  return Created{made, false};
}

Result<std::uint64_t> LocalCollections::drop(const CallContext& call, std::string_view name) {
  QV_CHECK(call.check());
  std::shared_ptr<ShardedCollection> target;
  {
    const std::lock_guard lock(mutex_);
    QV_CHECK(ensure_open());
    if (!call.request_id.empty()) {
      QV_TRY(const auto before, store_->get(key(kDropped, call.request_id.hex())));
      if (before) return Json::parse(before->value).at("points").get<std::uint64_t>();
    }
    const auto found = collections_.find(name);
    if (found == collections_.end()) return not_found(name);
    target = found->second;
  }
  const auto counted = target->count(call, std::nullopt);
  QV_CHECK(call.check());
  if (!counted.ok()) {
    // Of what cannot be read, too, somebody must be able to get rid.
    QV_LOG_WARN("dropped_collection_not_counted name={} error=\"{}\"", name,
                counted.error().message);
  }
  const std::uint64_t points = counted.ok() ? *counted : 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = collections_.find(name);
    if (found == collections_.end() || found->second != target) return not_found(name);
    std::vector<Put> puts{{key(kNames, name), std::nullopt},
                          {key(kSpecs, target->spec().id), std::nullopt},
                          {key(kDropping, target->spec().id), std::string(name)}};
    const std::int64_t now = clock_.wall_ms();
    QV_TRY(const auto earlier, store_->list(kDropped));
    for (const auto& entry : earlier) {
      const auto at_ms = Json::parse(entry.value).at("at_ms").get<std::int64_t>();
      if (at_ms + kDroppedKeptMs < now) puts.push_back({entry.key, std::nullopt});
    }
    if (!call.request_id.empty()) {
      puts.push_back(
          {key(kDropped, call.request_id.hex()), Json{{"points", points}, {"at_ms", now}}.dump()});
    }
    QV_TRY(const auto outcome, store_->txn({}, puts));
    static_cast<void>(outcome);  // Without compares there is no conflict.
    collections_.erase(found);
  }
  target->retire();
  {
    const std::lock_guard lock(mutex_);
    if (store_) discard_files(target->spec().id);
  }
  // Not under the lock: to remove many files takes seconds.
  empty_trash();
  QV_LOG_INFO("collection_dropped name={} points={}", name, points);
  return points;
}

Result<std::vector<CollectionSpec>> LocalCollections::list() {
  const std::lock_guard lock(mutex_);
  QV_CHECK(ensure_open());
  std::vector<CollectionSpec> specs;
  for (const auto& [unused, collection] : collections_) specs.push_back(collection->spec());
  return specs;
}

std::vector<std::shared_ptr<ShardedCollection>> LocalCollections::snapshot() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ShardedCollection>> all;
  for (const auto& [unused, collection] : collections_) all.push_back(collection);
  return all;
}

bool LocalCollections::purge_expired() {
  bool more = false;
  for (const auto& collection : snapshot()) {
    const auto purged = collection->purge_expired(clock_.wall_ms());
    if (!purged.ok()) {
      QV_LOG_WARN("purge_failed collection={} error={}", collection->spec().name,
                  purged.error().message);
    }
    more = more || (purged.ok() && *purged);
  }
  return more;
}

void LocalCollections::keep_house() {
  empty_trash();
  std::unique_lock lock(mutex_);
  auto pause = kHousekeepingEvery;
  while (!wake_.wait_for(lock, pause, [this] { return closed_; })) {
    lock.unlock();
    // One round after another while there is a backlog; writes and closing come in between.
    pause = purge_expired() ? std::chrono::seconds(0) : kHousekeepingEvery;
    lock.lock();
  }
}

void LocalCollections::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  wake_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  for (const auto& collection : snapshot()) collection->retire();
  const std::lock_guard lock(mutex_);
  collections_.clear();
  store_.reset();
}

}  // namespace quiver::cluster
