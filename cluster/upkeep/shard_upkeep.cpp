#include "cluster/upkeep/shard_upkeep.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "cluster/replication/promotion.h"

namespace quiver::cluster {
namespace {

using thrift::CopyCondition;

bool contains(const std::vector<CopyId>& sorted, const CopyId& copy) {
  return std::binary_search(sorted.begin(), sorted.end(), copy);
}

std::uint64_t count_at(const std::map<NodeId, std::uint64_t>& counts, const NodeId& node) {
  const auto found = counts.find(node);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

std::string_view name(ShardChange::Kind kind) noexcept {
  constexpr std::array<std::string_view, 6> kNames{"",     "promote",      "add",
                                                   "drop", "ask_hand_off", "ask_drop"};
  return kNames[static_cast<std::size_t>(kind)];
}

ShardUpkeep::ShardUpkeep(const UpkeepFacts& facts, const CollectionView& collection, ShardId shard,
                         std::optional<CopyId> moved)
    : facts_(facts),
      collection_(collection),
      shard_(shard),
      record_(collection.shards[raw(shard)]),
      moved_(std::move(moved)),
      wanted_(collection.spec.replication_factor) {
  for (const auto& [id, place] : record_.copies) copies_.push_back(judge(id, place));
}

ShardUpkeep::Copy ShardUpkeep::judge(const CopyId& id, const CopyPlace& place) const {
  Copy out;
  out.id = id;
  out.node = place.node;
  out.primary = id == record_.primary;
  out.in_sync = contains(record_.in_sync, id);
  out.fresh = place.state == CopyState::New;
  const auto* const said = report(id);
  out.works = is_up(place.node) && said != nullptr && said->condition == CopyCondition::Works;
  // A new copy is made only after the record names it; if that takes too long, it has failed.
  const bool absent = said != nullptr && said->condition == CopyCondition::Absent && !out.fresh;
  const auto* const node = facts_.view.find_node(place.node);
  const bool removed = node == nullptr || node->record.state == NodeState::Removed;
  // In sync with a server that is down: its primary hears it, or takes it out in a moment.
  const bool dead = facts_.liveness.dead.contains(place.node) && !out.in_sync;
  if (removed || dead || absent || facts_.failed.contains(id)) {
    out.fate = Fate::Lost;
  } else if (node->record.state == NodeState::Draining || id == moved_) {
    out.fate = Fate::Leaves;
  }
  out.useless = out.fate != Fate::Stays && !out.in_sync && (removed || absent || out.fresh);
  return out;
}

bool ShardUpkeep::is_up(const NodeId& node) const {
  const auto* const known = facts_.view.find_node(node);
  return known != nullptr && known->record.state != NodeState::Removed &&
         !facts_.liveness.down.contains(node) && !facts_.liveness.dead.contains(node);
}

const thrift::CopyPosition* ShardUpkeep::report(const CopyId& copy) const {
  const auto found = facts_.reports.find(copy);
  return found == facts_.reports.end() ? nullptr : &found->second;
}

const ShardUpkeep::Copy& ShardUpkeep::primary() const {
  return *std::find_if(copies_.begin(), copies_.end(), [](const Copy& one) { return one.primary; });
}

std::uint64_t ShardUpkeep::ready() const {
  return static_cast<std::uint64_t>(
      std::count_if(copies_.begin(), copies_.end(), [](const Copy& one) { return one.ready(); }));
}

bool ShardUpkeep::led() const {
  return primary().works;
}

std::uint64_t ShardUpkeep::holes() const {
  const auto stay = static_cast<std::uint64_t>(std::count_if(
      copies_.begin(), copies_.end(), [](const Copy& one) { return one.fate == Fate::Stays; }));
  return wanted_ > stay ? wanted_ - stay : 0;
}

bool ShardUpkeep::settled() const {
  return ready() == copies_.size();
}

std::optional<ShardChange> ShardUpkeep::promotion() const {
  const auto& old = primary();
  const auto* const said = report(old.id);
  const bool failed = said != nullptr && said->condition != CopyCondition::Works;
  if (is_up(old.node) && !failed) return std::nullopt;
  std::vector<replication::CopyReport> candidates;
  for (const auto& copy : copies_) {
    if (copy.primary || !copy.in_sync || !copy.works) continue;
    const auto& its = *report(copy.id);
    // Only this server does not reach the primary.
    if (its.hears && its.seen == record_.term && !failed) return std::nullopt;
    candidates.push_back({copy.id, its.last});
  }
  auto desired = replication::promote(record_, candidates);
  if (!desired) return std::nullopt;
  const auto heir = std::find_if(copies_.begin(), copies_.end(),
                                 [&](const Copy& one) { return one.id == desired->primary; });
  auto out = change(ShardChange::Kind::Promote, *heir,
                    failed ? "the primary's copy has failed" : "the primary's server is down");
  out.to = std::move(desired);
  return out;
}

std::string ShardUpkeep::stuck() const {
  if (led() || promotion()) return {};
  const auto* const said = report(primary().id);
  const bool failed = said != nullptr && said->condition != CopyCondition::Works;
  if (is_up(primary().node) && !failed) return {};
  const bool others = std::any_of(copies_.begin(), copies_.end(), [](const Copy& one) {
    return !one.primary && one.in_sync && one.works;
  });
  // They hear their primary.
  if (others) return {};
  return "its primary is gone, and no other copy that has all of its writes answers";
}

ShardChange ShardUpkeep::change(ShardChange::Kind kind, const Copy& copy, std::string why) const {
  return {collection_.spec.name,
          {collection_.spec.id, shard_},
          kind,
          copy.id,
          copy.node,
          record_,
          std::nullopt,
          std::move(why)};
}

ShardChange ShardUpkeep::add(const CopyId& fresh, const NodeId& node, std::string why) const {
  Copy copy;
  copy.id = fresh;
  copy.node = node;
  auto out = change(ShardChange::Kind::Add, copy, std::move(why));
  out.to = replication::add_copy(record_, fresh, node);
  return out;
}

std::optional<ShardChange> ShardUpkeep::drop(const Copy& copy, std::string why) const {
  auto desired = replication::drop_copy(record_, copy.id);
  if (!desired) return std::nullopt;
  auto out = change(ShardChange::Kind::Drop, copy, std::move(why));
  out.to = std::move(desired);
  return out;
}

std::optional<ShardChange> ShardUpkeep::let_go(const Copy& copy, const std::string& why) const {
  if (!copy.in_sync) return drop(copy, why);
  if (!copy.primary) return change(ShardChange::Kind::AskDrop, copy, why);
  const auto* const next = heir();
  if (next == nullptr) return std::nullopt;
  return change(ShardChange::Kind::AskHandOff, *next, why);
}

std::optional<ShardChange> ShardUpkeep::removal() const {
  for (const auto& copy : copies_) {
    if (copy.useless) return drop(copy, "it is lost");
  }
  if (ready() < wanted_) return std::nullopt;
  for (const auto fate : {Fate::Lost, Fate::Leaves}) {
    // The primary last: it lets the others go.
    for (const bool primary : {false, true}) {
      for (const auto& copy : copies_) {
        if (copy.fate != fate || copy.primary != primary) continue;
        return let_go(copy, fate == Fate::Lost ? "it is lost" : "its server gives it away");
      }
    }
  }
  const auto* const victim = surplus();
  if (victim == nullptr) return std::nullopt;
  return let_go(*victim, "the shard has more copies than it wants");
}

const ShardUpkeep::Copy* ShardUpkeep::surplus() const {
  std::vector<const Copy*> stay;
  std::map<std::string, int> zones;
  for (const auto& copy : copies_) {
    if (copy.fate != Fate::Stays) continue;
    stay.push_back(&copy);
    ++zones[zone_of(copy.node)];
  }
  if (stay.size() <= wanted_) return nullptr;
  // Those that are not ready first, then those that would fail together, then from the fullest.
  const auto rank = [&](const Copy* copy) {
    return std::tuple(copy->primary, copy->ready(), copy->works, -zones[zone_of(copy->node)],
                      UINT64_MAX - count_at(facts_.copies, copy->node), copy->id);
  };
  return *std::min_element(stay.begin(), stay.end(),
                           [&](const Copy* a, const Copy* b) { return rank(a) < rank(b); });
}

std::string ShardUpkeep::zone_of(const NodeId& node) const {
  const auto* const known = facts_.view.find_node(node);
  return known == nullptr || known->record.zone.empty() ? "/" + node.text : known->record.zone;
}

const ShardUpkeep::Copy* ShardUpkeep::heir() const {
  const Copy* best = nullptr;
  const auto rank = [&](const Copy& copy) {
    return std::tuple(count_at(facts_.primaries, copy.node), copy.id);
  };
  for (const auto& copy : copies_) {
    if (copy.primary || !copy.ready()) continue;
    if (best == nullptr || rank(copy) < rank(*best)) best = &copy;
  }
  return best;
}

std::optional<ShardChange> ShardUpkeep::hand_off_to(const NodeId& node, std::string why) const {
  for (const auto& copy : copies_) {
    if (copy.node != node || copy.primary || !copy.ready()) continue;
    return change(ShardChange::Kind::AskHandOff, copy, std::move(why));
  }
  return std::nullopt;
}

ShardState ShardUpkeep::for_planner() const {
  auto out = record_;
  const auto kept = static_cast<std::uint64_t>(std::count_if(
      copies_.begin(), copies_.end(), [](const Copy& one) { return one.fate != Fate::Lost; }));
  bool emptied = false;
  for (const auto& copy : copies_) {
    // Copies on draining servers it moves itself, but for those of a shard that has others already.
    const bool leaves = copy.fate == Fate::Leaves && (copy.id == moved_ || kept > wanted_);
    if (copy.fate == Fate::Lost || leaves) out.copies.erase(copy.id);
    emptied = emptied || leaves;
  }
  if (!emptied) return out;
  // The shard has a primary to copy from: whether it is one of these is not the planner's concern.
  out.in_sync.clear();
  for (const auto& [copy, unused] : out.copies) out.in_sync.push_back(copy);
  return out;
}

}  // namespace quiver::cluster
