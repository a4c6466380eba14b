#include "cluster/catalogue.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "cluster/placement/placement_policy.h"
#include "cluster/sharded_collection.h"
#include "cluster/view/keys.h"
#include "core/log.h"
#include "core/text.h"

namespace quiver::cluster {
namespace {

// Room in one transaction for what goes along with the shards.
constexpr std::size_t kShardsPerTxn = 100;
// A client that repeats a deletion does so within its own timeout.
constexpr std::int64_t kDroppedKeptMs = std::int64_t{3600} * 1000;
constexpr std::chrono::seconds kCountTime{5};
// Attempts at a change that others were quicker with each time.
constexpr int kAttempts = 10;

/// What differs between a wanted spec and the one that is there; empty if nothing does.
std::string difference(const CollectionSpec& there, const CollectionSpec& wanted) {
  const Json have = there.to_json();
  const Json want = wanted.to_json();
  std::string out;
  for (const char* field :
       {"dimension", "metric", "embedder", "shards", "replicas", "consistency", "hnsw"}) {
    const Json is = have.value(field, Json());
    const Json asked = want.value(field, Json());
    if (is == asked) continue;
    if (!out.empty()) out += "; ";
    out += std::string(field) + " is " + is.dump() + ", asked for " + asked.dump();
  }
  return out;
}

std::vector<NodeId> servers_of(const std::vector<ShardState>& shards) {
  std::set<NodeId> nodes;
  for (const auto& shard : shards) {
    for (const auto& [unused, place] : shard.copies) nodes.insert(place.node);
  }
  return {nodes.begin(), nodes.end()};
}

Put removal(std::string key) {
  return {std::move(key), std::nullopt};
}

Put epoch_mark() {
  return {std::string(keys::kEpoch), "{}"};
}

/// Removes the keys of shards whose collection is not known any more.
Status remove_keys(const CallContext& call, CoordinationStore& store,
                   const std::vector<Entry>& entries) {
  for (std::size_t start = 0; start < entries.size(); start += kShardsPerTxn) {
    std::vector<Put> puts{epoch_mark()};
    const auto end = std::min(start + kShardsPerTxn, entries.size());
    for (std::size_t i = start; i < end; ++i) puts.push_back(removal(entries[i].key));
    QV_TRY(const auto removed, decided(store.txn(call, {}, puts)));
  }
  return Done{};
}

/// Half of the time that is left, and not long: the number is worth little.
CallContext to_count(const CallContext& call) {
  const auto now = std::chrono::steady_clock::now();
  CallContext out = call;
  out.deadline = now + kCountTime;
  if (call.deadline) out.deadline = std::min(*out.deadline, now + (*call.deadline - now) / 2);
  return out;
}

Error disagreement() {
  return {ErrorCode::Unavailable, "the coordination store keeps changing; try again"};
}

}  // namespace

/// A collection that is being made.
struct Catalogue::Making {
  CollectionSpec spec;
  std::vector<ShardState> shards;

  DroppingRecord record() const { return {spec.name, servers_of(shards)}; }
};

std::shared_ptr<ShardedCollection> Catalogue::opened(
    std::shared_ptr<const CollectionView> collection) {
  return std::make_shared<ShardedCollection>(
      std::move(collection),
      ShardedCollection::Ways{parts_.views, parts_.copies, parts_.fan_out, parts_.home});
}

Error Catalogue::not_found(const ClusterView& view, std::string_view name) const {
  constexpr std::size_t kNamed = 20;
  std::vector<std::string> names;
  std::string listed;
  for (const auto& [known, unused] : view.collections) {
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

Result<std::shared_ptr<Collection>> Catalogue::find(std::string_view name) {
  auto view = parts_.views.current();
  auto found = view->collections.find(name);
  if (found == view->collections.end()) {
    // Another server may have made it a moment ago. Without the store, what is known must do.
    if (parts_.views.refresh(CallContext{}).ok()) view = parts_.views.current();
    found = view->collections.find(name);
    if (found == view->collections.end()) return not_found(*view, name);
  }
  return std::shared_ptr<Collection>(opened(found->second));
}

Result<std::vector<CollectionSpec>> Catalogue::list() {
  std::vector<CollectionSpec> specs;
  for (const auto& [unused, collection] : parts_.views.current()->collections) {
    specs.push_back(collection->spec);
  }
  return specs;
}

Result<Collections::Created> Catalogue::existing(const CollectionView& there,
                                                 const CollectionSpec& wanted) {
  const std::string differs = difference(there.spec, wanted);
  if (!differs.empty()) {
    return Error{ErrorCode::AlreadyExists,
                 "collection \"" + wanted.name + "\" exists with other settings: " + differs};
  }
  return Created{opened(std::make_shared<const CollectionView>(there)), true};
}

Result<Collections::Created> Catalogue::create(const CallContext& call, CollectionSpec spec) {
  QV_CHECK(call.check());
  QV_CHECK(spec.validate());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto view = parts_.views.current();
    if (const auto* const there = view->find_collection(spec.name)) return existing(*there, spec);
    QV_TRY(auto made, make(call, spec, *view));
    if (made.collection) return made;
    QV_CHECK(parts_.views.refresh(call));
  }
  return disagreement();
}

Result<Collections::Created> Catalogue::make(const CallContext& call, CollectionSpec spec,
                                             const ClusterView& view) {
  spec.id = RequestId::random().hex();
  spec.created_at_ms = parts_.clock.wall_ms();
  QV_TRY(const auto placement, place(view, spec, parts_.liveness(view)));
  Making making{std::move(spec), {}};
  for (const auto& servers : placement) {
    ShardState state;
    for (const auto& server : servers) {
      const CopyId copy{RequestId::random().hex()};
      if (state.copies.empty()) state.primary = copy;
      state.copies.emplace(copy, CopyPlace{server, CopyState::Active});
      state.in_sync.push_back(copy);
    }
    std::sort(state.in_sync.begin(), state.in_sync.end());
    making.shards.push_back(std::move(state));
  }
  const std::string creating = keys::join(keys::kCreating, making.spec.id);
  QV_TRY(const auto begun, parts_.store.txn(call, {{creating, Revision{0}}},
                                            {{creating, making.record().to_json().dump()}}));
  if (begun.outcome != TxnOutcome::Done) return begun.why;
  auto known = [&]() -> Result<bool> {
    QV_CHECK(make_copies(call, view, making));
    return make_known(call, making);
  }();
  if (!known.ok() || !*known) take_back(call, making);
  if (!known.ok()) return std::move(known).error();
  if (!*known) return Created{};
  QV_LOG_INFO("collection_created name={} id={} shards={}", making.spec.name, making.spec.id,
              making.spec.shard_count);
  return Created{
      opened(std::make_shared<const CollectionView>(CollectionView{making.spec, making.shards})),
      false};
}

Status Catalogue::make_copies(const CallContext& call, const ClusterView& view,
                              const Making& making) {
  struct Wanted {
    const NodeId* node;
    ShardId shard;
    const CopyId* copy;
  };
  std::vector<Wanted> wanted;
  for (std::uint32_t i = 0; i < making.shards.size(); ++i) {
    for (const auto& [copy, place] : making.shards[i].copies) {
      wanted.push_back({&place.node, ShardId{i}, &copy});
    }
  }
  std::vector<Status> outcomes(wanted.size(), Status(Done{}));
  parts_.fan_out.run(wanted.size(), [&](std::size_t i) {
    outcomes[i] = parts_.copies.create(call, view, *wanted[i].node, making.spec, wanted[i].shard,
                                       *wanted[i].copy);
  });
  for (auto& outcome : outcomes) QV_CHECK(std::move(outcome));
  return Done{};
}

Result<bool> Catalogue::make_known(const CallContext& call, const Making& making) {
  const auto& spec = making.spec;
  const std::string name_key = keys::name(spec.name);
  const std::string creating = keys::join(keys::kCreating, spec.id);
  // The last part goes with the name: what comes before it is nobody's until then.
  std::vector<Put> puts;
  for (std::uint32_t i = 0; i < spec.shard_count; ++i) {
    if (puts.size() == kShardsPerTxn) {
      QV_TRY(const auto written, decided(parts_.store.txn(call, {}, puts)));
      puts.clear();
    }
    puts.push_back({keys::shard(spec.id, ShardId{i}), making.shards[i].to_json().dump()});
  }
  puts.push_back({name_key, spec.id});
  puts.push_back({keys::spec(spec.id), spec.to_json().dump()});
  puts.push_back(removal(creating));
  QV_TRY(const auto begun, parts_.store.get(call, creating));
  if (!begun) return disagreement();
  const std::vector<Compare> compares{{name_key, Revision{0}}, {creating, begun->revision}};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto result, parts_.store.txn(call, compares, puts));
    if (result == TxnOutcome::Done) {
      QV_CHECK(parts_.views.await(call, result.revision));
      return true;
    }
    if (result == TxnOutcome::Unknown) continue;
    // Somebody has the name: this call, if an earlier attempt took effect after all.
    QV_TRY(const auto owner, parts_.store.get(call, name_key));
    if (!owner || owner->value != spec.id) return false;
    QV_CHECK(parts_.views.await(call, owner->revision));
    return true;
  }
  return disagreement();
}

void Catalogue::take_back(const CallContext& call, const Making& making) {
  const std::string creating = keys::join(keys::kCreating, making.spec.id);
  const auto begun = parts_.store.get(call, creating);
  if (begun.ok() && *begun) {
    const auto turned = parts_.store.txn(
        call, {{creating, (*begun)->revision}, {keys::spec(making.spec.id), Revision{0}}},
        {removal(creating),
         epoch_mark(),
         {keys::join(keys::kDropping, making.spec.id), making.record().to_json().dump()}});
    if (turned.ok() && *turned == TxnOutcome::Done) return;
  }
  QV_LOG_WARN("collection_not_taken_back id={} remedy=retried_at_start", making.spec.id);
}

Status Catalogue::abandon_creations(const CallContext& call, const NodeId& maker) {
  QV_TRY(const auto begun, parts_.store.list(call, keys::kCreating));
  for (const auto& entry : begun.entries) {
    QV_TRY(const auto record, DroppingRecord::from_json(Json::parse(entry.value, nullptr, false)));
    if (std::find(record.nodes.begin(), record.nodes.end(), maker) == record.nodes.end()) continue;
    const auto id = entry.key.substr(keys::kCreating.size());
    QV_TRY(
        const auto turned,
        decided(parts_.store.txn(
            call, {{entry.key, entry.revision}},
            {removal(entry.key), epoch_mark(), {keys::join(keys::kDropping, id), entry.value}})));
    if (turned == TxnOutcome::Done) QV_LOG_INFO("creation_abandoned id={}", id);
  }
  return parts_.views.refresh(call);
}

Result<bool> Catalogue::forget(const CallContext& call, const CollectionView& target,
                               const std::optional<std::uint64_t>& points) {
  const auto& spec = target.spec;
  const std::string spec_key = keys::spec(spec.id);
  QV_TRY(const auto there, parts_.store.get(call, spec_key));
  if (!there) return false;
  const DroppingRecord record{spec.name, servers_of(target.shards)};
  const std::int64_t now = parts_.clock.wall_ms();
  std::vector<Put> puts{removal(keys::name(spec.name)),
                        removal(spec_key),
                        epoch_mark(),
                        {keys::join(keys::kDropping, spec.id), record.to_json().dump()}};
  QV_TRY(const auto earlier, parts_.store.list(call, keys::kDropped));
  for (const auto& entry : earlier.entries) {
    if (puts.size() == kShardsPerTxn) break;
    const auto at_ms = Json::parse(entry.value).at("at_ms").get<std::int64_t>();
    if (at_ms + kDroppedKeptMs < now) puts.push_back(removal(entry.key));
  }
  if (!call.request_id.empty()) {
    puts.push_back({keys::join(keys::kDropped, call.request_id.hex()),
                    Json{{"points", points ? Json(*points) : Json()}, {"at_ms", now}}.dump()});
  }
  QV_TRY(const auto result, decided(parts_.store.txn(call, {{spec_key, there->revision}}, puts)));
  if (result == TxnOutcome::Conflict) return false;
  QV_CHECK(parts_.views.await(call, result.revision));
  return true;
}

Result<std::optional<std::uint64_t>> Catalogue::drop(const CallContext& call,
                                                     std::string_view name) {
  QV_CHECK(call.check());
  if (!call.request_id.empty()) {
    QV_TRY(const auto before,
           parts_.store.get(call, keys::join(keys::kDropped, call.request_id.hex())));
    if (before) {
      const Json points = Json::parse(before->value).at("points");
      return points.is_null() ? std::nullopt
                              : std::optional<std::uint64_t>(points.get<std::uint64_t>());
    }
  }
  QV_TRY(const auto collection, find(name));
  const auto view = parts_.views.current();
  const auto* const target = view->find_collection(name);
  if (target == nullptr) return not_found(*view, name);
  const auto counted = collection->count(to_count(call), std::nullopt);
  QV_CHECK(call.check());
  std::optional<std::uint64_t> points;
  if (counted.ok()) {
    points = *counted;
  } else {
    // Of what cannot be read, too, somebody must be able to get rid.
    QV_LOG_WARN("dropped_collection_not_counted name={} error=\"{}\"", name,
                counted.error().message);
  }
  QV_TRY(const bool forgotten, forget(call, *target, points));
  if (!forgotten) {
    QV_CHECK(parts_.views.refresh(call));
    return not_found(*parts_.views.current(), name);
  }
  QV_LOG_INFO("collection_dropped name={} points={}", name,
              points ? std::to_string(*points) : "unknown");
  return points;
}

void Catalogue::tidy(const CallContext& call, const NodeId& self, const RemoveFiles& remove) {
  const auto view = parts_.views.current();
  for (const auto& [id, record] : view->dropping) {
    const bool mine = std::binary_search(record.nodes.begin(), record.nodes.end(), self);
    if (!mine && !record.nodes.empty()) continue;
    if (auto tidied = tidy_one(call, self, id, remove); !tidied.ok()) {
      QV_LOG_WARN("collection_files_left id={} error=\"{}\" remedy=retried", id,
                  tidied.error().message);
    }
  }
}

Status Catalogue::tidy_one(const CallContext& call, const NodeId& self, const std::string& id,
                           const RemoveFiles& remove) {
  QV_CHECK(remove(id));
  const std::string key = keys::join(keys::kDropping, id);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry) return Done{};
    QV_TRY(auto record, DroppingRecord::from_json(Json::parse(entry->value, nullptr, false)));
    std::erase(record.nodes, self);
    std::vector<Put> puts{{key, record.to_json().dump()}};
    if (record.nodes.empty()) {
      QV_TRY(const auto shards, parts_.store.list(call, keys::join(keys::kShards, id) + '/'));
      QV_CHECK(remove_keys(call, parts_.store, shards.entries));
      puts = {removal(key)};
    }
    QV_TRY(const auto result, decided(parts_.store.txn(call, {{key, entry->revision}}, puts)));
    if (result == TxnOutcome::Done) return parts_.views.await(call, result.revision);
  }
  return disagreement();
}

}  // namespace quiver::cluster
