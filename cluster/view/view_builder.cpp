#include "cluster/view/view_builder.h"

#include <algorithm>
#include <utility>

#include "cluster/view/keys.h"

namespace quiver::cluster {
namespace {

/// Who lives, and what is on its way, is no part of the map.
bool raises_epoch(std::string_view key) {
  return key.starts_with(keys::kNodes) || key.starts_with(keys::kSpecs) ||
         key.starts_with(keys::kShards) || key == keys::kSlots || key == keys::kEpoch ||
         key == keys::kLineage;
}

template <typename Record>
Status set(std::map<NodeId, Record>& records, NodeId id, const Json& json) {
  QV_TRY(auto record, Record::from_json(json));
  records.insert_or_assign(std::move(id), std::move(record));
  return Done{};
}

std::string tail_of(const std::string& key, std::string_view prefix) {
  return key.substr(prefix.size());
}

void keep_first(Status& first, Error error) {
  if (first.ok()) first = std::move(error);
}

}  // namespace

Status ViewBuilder::take(const Listing& listing) {
  if (listing.revision < revision_) return Done{};
  Status first = Done{};
  std::set<std::string> listed;
  for (const auto& entry : listing.entries) {
    listed.insert(entry.key);
    if (auto taken = accept(entry.key, entry.value, entry.revision); !taken.ok()) {
      keep_first(first, taken.error());
    }
  }
  std::vector<std::string> gone;
  for (const auto& [key, unused] : known_) {
    if (!listed.contains(key)) gone.push_back(key);
  }
  for (const auto& key : gone) remove(key);
  revision_ = listing.revision;
  return first;
}

Status ViewBuilder::take(const WatchBatch& batch) {
  if (batch.relisted) {
    Listing listing{{}, batch.revision};
    for (const auto& change : batch.changes) {
      if (change.value) {
        listing.entries.push_back({change.key, *change.value, change.revision, LeaseId{0}});
      }
    }
    return take(listing);
  }
  Status first = Done{};
  for (const auto& change : batch.changes) {
    if (change.revision <= revision_) continue;
    if (!change.value) {
      remove(change.key);
      continue;
    }
    if (auto taken = accept(change.key, *change.value, change.revision); !taken.ok()) {
      keep_first(first, taken.error());
    }
  }
  revision_ = std::max(revision_, batch.revision);
  return first;
}

Status ViewBuilder::accept(const std::string& key, const std::string& value, Revision revision) {
  auto& known = known_[key];
  if (known.revision == revision) return Done{};
  const bool same = known.revision != Revision{0} && known.value == value;
  known = {value, revision};
  return same ? Status(Done{}) : put(key, value);
}

Status ViewBuilder::put(const std::string& key, const std::string& value) {
  const Json json = Json::parse(value, nullptr, false);
  auto taken = put_map_key(key, json);
  if (taken.ok()) return taken;
  return Error{taken.error().code, "key " + key + ": " + taken.error().message};
}

Status ViewBuilder::put_map_key(const std::string& key, const Json& json) {
  if (key.starts_with(keys::kNodes)) return set(nodes_, {tail_of(key, keys::kNodes)}, json);
  if (key.starts_with(keys::kAlive)) return set(alive_, {tail_of(key, keys::kAlive)}, json);
  if (key == keys::kSlots) {
    QV_TRY(slots_, SlotList::from_json(json));
    return Done{};
  }
  if (key.starts_with(keys::kDropping)) {
    QV_TRY(auto record, DroppingRecord::from_json(json));
    dropping_.insert_or_assign(tail_of(key, keys::kDropping), std::move(record));
    return Done{};
  }
  if (key.starts_with(keys::kSpecs)) {
    QV_TRY(auto spec, CollectionSpec::from_json(json));
    auto& parts = collections_[tail_of(key, keys::kSpecs)];
    parts.spec = std::move(spec);
    parts.whole.reset();
    return Done{};
  }
  if (key.starts_with(keys::kShards)) {
    const auto place = keys::parse_shard(key);
    if (!place) return Error{ErrorCode::Corruption, "it names no shard"};
    QV_TRY(auto state, ShardState::from_json(json));
    auto& parts = collections_[place->collection];
    parts.shards.insert_or_assign(place->number, std::move(state));
    parts.whole.reset();
  }
  return Done{};
}

void ViewBuilder::remove(const std::string& key) {
  known_.erase(key);
  if (key.starts_with(keys::kNodes)) nodes_.erase({tail_of(key, keys::kNodes)});
  if (key.starts_with(keys::kAlive)) alive_.erase({tail_of(key, keys::kAlive)});
  if (key == keys::kSlots) slots_ = {};
  if (key.starts_with(keys::kDropping)) dropping_.erase(tail_of(key, keys::kDropping));
  const auto forget_if_empty = [this](const std::string& id, Parts& parts) {
    parts.whole.reset();
    if (!parts.spec && parts.shards.empty()) collections_.erase(id);
  };
  if (key.starts_with(keys::kSpecs)) {
    const auto found = collections_.find(tail_of(key, keys::kSpecs));
    if (found == collections_.end()) return;
    found->second.spec.reset();
    forget_if_empty(std::string(found->first), found->second);
  } else if (const auto place = keys::parse_shard(key)) {
    const auto found = collections_.find(place->collection);
    if (found == collections_.end()) return;
    found->second.shards.erase(place->number);
    forget_if_empty(place->collection, found->second);
  }
}

std::shared_ptr<const CollectionView> ViewBuilder::whole_of(Parts& parts) const {
  if (parts.whole) return parts.whole;
  if (!parts.spec || parts.shards.size() != parts.spec->shard_count) return nullptr;
  auto whole = std::make_shared<CollectionView>();
  whole->spec = *parts.spec;
  for (const auto& [number, state] : parts.shards) {
    if (raw(number) != whole->shards.size()) return nullptr;
    whole->shards.push_back(state);
  }
  parts.whole = std::move(whole);
  return parts.whole;
}

Listing ViewBuilder::map() const {
  Listing out{{}, revision_};
  for (const auto& [key, known] : known_) {
    if (raises_epoch(key)) out.entries.push_back({key, known.value, known.revision, LeaseId{0}});
  }
  return out;
}

std::optional<SeenShard> ViewBuilder::shard_record(std::string_view collection_id, ShardId shard,
                                                   Revision after) const {
  const auto found = known_.find(keys::shard(collection_id, shard));
  if (found == known_.end() || found->second.revision <= after) return std::nullopt;
  // Not what was understood last: value and revision must be of one moment.
  auto state = ShardState::from_json(Json::parse(found->second.value, nullptr, false));
  if (!state.ok()) return std::nullopt;
  return SeenShard{std::move(*state), found->second.revision};
}

std::shared_ptr<const ClusterView> ViewBuilder::build() {
  auto view = std::make_shared<ClusterView>();
  for (const auto& [key, known] : known_) {
    if (!raises_epoch(key)) continue;
    view->epoch = std::max(view->epoch, static_cast<std::uint64_t>(known.revision));
  }
  for (const auto& [id, record] : nodes_) {
    NodeView node{record, std::nullopt};
    if (const auto sign = alive_.find(id); sign != alive_.end()) node.alive = sign->second;
    view->nodes.emplace(id, std::move(node));
  }
  view->slots = slots_;
  for (auto& [unused, parts] : collections_) {
    const auto whole = whole_of(parts);
    if (!whole) continue;
    view->collections.emplace(whole->spec.name, whole);
    view->collections_by_id.emplace(whole->spec.id, whole);
  }
  view->dropping = dropping_;
  return view;
}

}  // namespace quiver::cluster
