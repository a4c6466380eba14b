#include "cluster/map_restore.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/view/keys.h"
#include "cluster/view/records.h"
#include "core/collection_spec.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

using Entries = std::map<std::string_view, const Entry*>;

Entries by_key(const Listing& listing) {
  Entries out;
  for (const auto& entry : listing.entries) out.emplace(entry.key, &entry);
  return out;
}

const Entry* find(const Entries& entries, std::string_view key) {
  const auto found = entries.find(key);
  return found == entries.end() ? nullptr : found->second;
}

std::string number(Revision revision) {
  return std::to_string(static_cast<std::uint64_t>(revision));
}

Result<std::optional<Lineage>> lineage_of(const Entries& entries) {
  const auto* const entry = find(entries, keys::kLineage);
  if (entry == nullptr) return std::optional<Lineage>();
  QV_TRY(auto lineage, Lineage::from_json(Json::parse(entry->value, nullptr, false)));
  return std::optional<Lineage>(std::move(lineage));
}

Result<ShardState> shard_in(const Entry& entry) {
  return ShardState::from_json(Json::parse(entry.value, nullptr, false));
}

Error older(const Listing& known, const std::string& sign) {
  return {ErrorCode::Unavailable,
          "the coordination store is older than the map on this server's disk, which is of "
          "revision " +
              number(known.revision) + ": " + sign +
              ". To go on by it could lose acknowledged writes. Restore a newer snapshot of it; or "
              "stop all servers and start the one whose map is of the highest revision with "
              "`quiver serve --restore-map`"};
}

/// Name of the collection and number of the shard, as far as `entries` has the name.
std::string shard_name(const Entries& entries, const keys::ShardKey& shard) {
  std::string name = shard.collection;
  if (const auto* const entry = find(entries, keys::spec(shard.collection)); entry != nullptr) {
    const auto spec = CollectionSpec::from_json(Json::parse(entry->value, nullptr, false));
    if (spec.ok()) name = spec->name;
  }
  return name + "/" + std::to_string(raw(shard.number));
}

/// What shows that shards have been changed since `there`; empty: nothing.
Result<std::string> sign_of_shards(const Entries& known, const Entries& there) {
  for (const auto& [key, entry] : known) {
    const auto shard = keys::parse_shard(key);
    if (!shard) continue;
    const auto* const other = find(there, key);
    // Deleted, for all that this shows.
    if (other == nullptr) continue;
    QV_TRY(const auto here, shard_in(*entry));
    QV_TRY(auto stored, shard_in(*other));
    if (stored.epoch < here.epoch) {
      return "shard " + shard_name(known, *shard) + " is at epoch " + std::to_string(stored.epoch) +
             " there, at " + std::to_string(here.epoch) + " here";
    }
    // A restoration raises them, and nothing else.
    stored.term = std::max(stored.term, here.term);
    ShardState same = here;
    same.term = stored.term;
    if (stored.epoch == here.epoch && stored != same) {
      return "shard " + shard_name(known, *shard) + " has another record of epoch " +
             std::to_string(here.epoch) + " there";
    }
  }
  return std::string();
}

/// Whether all that `known` has is there, so that it does not matter what came after.
bool covers(const Entries& there, const Entries& known) {
  return std::all_of(known.begin(), known.end(), [&there](const auto& one) {
    if (one.first == keys::kEpoch) return true;
    const auto* const other = find(there, one.first);
    // Of shards that are there their epochs have told.
    return other != nullptr && (keys::parse_shard(one.first) || other->value == one.second->value);
  });
}

std::string sign_of_lineage(const Listing& known, const Listing& store,
                            const std::optional<Lineage>& here,
                            const std::optional<Lineage>& there) {
  const std::string id_here = here ? here->id : "";
  const std::string id_there = there ? there->id : "";
  if (id_here == id_there) {
    if (store.revision >= known.revision || covers(by_key(store), by_key(known))) return "";
    return "its revision is " + number(store.revision);
  }
  if (!there) return "it was restored once, and does not know of that";
  if (there->before == id_here && known.revision > there->revision) {
    return "it was restored from the map of revision " + number(there->revision) + " of server " +
           there->node;
  }
  return "";
}

bool is_replaced(std::string_view key) {
  return key.starts_with(keys::kSpecs) || key.starts_with(keys::kNames) ||
         key.starts_with(keys::kShards);
}

/// They speak of shards as they were, and would be carried out.
bool is_forgotten(std::string_view key) {
  return key.starts_with(keys::kMoves) || key.starts_with(keys::kOperations);
}

Result<std::string> restored_value(const Entry& entry, const Entry* there) {
  if (!keys::parse_shard(entry.key)) return entry.value;
  QV_TRY(auto state, shard_in(entry));
  auto term = raw(state.term);
  if (there != nullptr) {
    QV_TRY(const auto stored, shard_in(*there));
    term = std::max(term, raw(stored.term));
  }
  state.term = Term{term + kRestoredTermStep};
  return state.to_json().dump();
}

class Restoration {
 public:
  Restoration(const CallContext& call, CoordinationStore& store) : call_(call), store_(store) {}

  Status put(Put put) {
    const auto bytes = 2 * put.key.size() + put.value.value_or("").size();
    if (puts_.size() == kTxnOpsMax || (!puts_.empty() && bytes_ + bytes > kTxnBytesMax)) {
      QV_CHECK(flush());
    }
    (put.value ? done_.put : done_.removed) += 1;
    bytes_ += bytes;
    puts_.push_back(std::move(put));
    return Done{};
  }
  Status flush() {
    if (puts_.empty()) return Done{};
    QV_TRY(const auto result, decided(store_.txn(call_, {}, puts_)));
    if (result != TxnOutcome::Done) return result.why;
    puts_.clear();
    bytes_ = 0;
    return Done{};
  }
  const Restored& done() const { return done_; }

 private:
  const CallContext& call_;
  CoordinationStore& store_;
  std::vector<Put> puts_;
  std::size_t bytes_ = 0;
  Restored done_;
};

/// Every key of the map as `known` has it. Collections that it lacks become ones that are being
/// deleted, by all its servers.
Status replace(Restoration& restoration, const Listing& known, const Listing& store) {
  const auto here = by_key(known);
  const auto there = by_key(store);
  std::vector<NodeId> servers;
  std::set<std::string> names;
  for (const auto& [key, entry] : here) {
    if (key == keys::kLineage || key == keys::kEpoch) continue;
    if (key.starts_with(keys::kNodes)) servers.push_back({entry->key.substr(keys::kNodes.size())});
    if (key.starts_with(keys::kSpecs)) {
      QV_TRY(const auto spec, CollectionSpec::from_json(Json::parse(entry->value, nullptr, false)));
      names.insert(keys::name(spec.name));
      QV_CHECK(restoration.put({keys::name(spec.name), spec.id}));
    }
    QV_TRY(auto value, restored_value(*entry, find(there, key)));
    QV_CHECK(restoration.put({entry->key, std::move(value)}));
  }
  for (const auto& [key, entry] : there) {
    const bool kept = here.contains(key) || names.contains(entry->key);
    if (!is_forgotten(key) && (!is_replaced(key) || kept)) continue;
    QV_CHECK(restoration.put({entry->key, std::nullopt}));
    if (!key.starts_with(keys::kSpecs)) continue;
    QV_TRY(const auto spec, CollectionSpec::from_json(Json::parse(entry->value, nullptr, false)));
    const DroppingRecord record{spec.name, servers};
    QV_CHECK(restoration.put({keys::join(keys::kDropping, spec.id), record.to_json().dump()}));
  }
  return Done{};
}

Status check_alone(const Listing& store, const NodeId& node) {
  for (const auto& entry : store.entries) {
    if (!entry.key.starts_with(keys::kAlive) || entry.key == keys::alive(node)) continue;
    return Error{ErrorCode::Unavailable,
                 "the map cannot be restored while server " +
                     entry.key.substr(keys::kAlive.size()) +
                     " serves by the one that is to be replaced: stop it; if it has ended, its "
                     "lease does soon"};
  }
  return Done{};
}

}  // namespace

Json Lineage::to_json() const {
  return {{"id", id},
          {"before", before},
          {"revision", static_cast<std::uint64_t>(revision)},
          {"node", node},
          {"complete", complete}};
}

Result<Lineage> Lineage::from_json(const Json& json) {
  try {
    Lineage out;
    out.id = json.at("id").get<std::string>();
    out.before = json.at("before").get<std::string>();
    out.revision = Revision{json.at("revision").get<std::uint64_t>()};
    out.node = json.at("node").get<std::string>();
    out.complete = json.at("complete").get<bool>();
    return out;
  } catch (const Json::exception& problem) {
    return Error{ErrorCode::Corruption,
                 "a stored lineage of the map is malformed: " + std::string(problem.what())};
  }
}

Status check_not_older(const Listing& known, const Listing& store) {
  const auto here = by_key(known);
  const auto there = by_key(store);
  QV_TRY(const auto lineage_here, lineage_of(here));
  QV_TRY(const auto lineage_there, lineage_of(there));
  if (lineage_there && !lineage_there->complete) {
    return older(known, "the map of server " + lineage_there->node +
                            " was being restored, which was not completed");
  }
  QV_TRY(auto sign, sign_of_shards(here, there));
  if (sign.empty()) sign = sign_of_lineage(known, store, lineage_here, lineage_there);
  return sign.empty() ? Status(Done{}) : older(known, sign);
}

Result<Restored> restore_map(const CallContext& call, const Listing& known, const NodeId& node,
                             CoordinationStore& store) {
  QV_TRY(const auto there, store.list(call, ""));
  QV_CHECK(check_alone(there, node));
  QV_TRY(const auto before, lineage_of(by_key(known)));
  Lineage lineage{RequestId::random().hex(), before ? before->id : "", known.revision, node.text,
                  false};
  Restoration restoration(call, store);
  QV_CHECK(restoration.put({std::string(keys::kLineage), lineage.to_json().dump()}));
  QV_CHECK(restoration.flush());
  QV_CHECK(replace(restoration, known, there));
  QV_CHECK(restoration.flush());
  lineage.complete = true;
  QV_CHECK(restoration.put({std::string(keys::kLineage), lineage.to_json().dump()}));
  QV_CHECK(restoration.put({std::string(keys::kEpoch), "{}"}));
  QV_CHECK(restoration.flush());
  return restoration.done();
}

}  // namespace quiver::cluster
