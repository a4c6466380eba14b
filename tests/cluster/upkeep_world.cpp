#include "tests/cluster/upkeep_world.h"

#include <algorithm>

namespace quiver::cluster::testing {
namespace {

constexpr std::size_t kControllers = 2;
constexpr int kEjectAfter = 2;

bool contains(const std::vector<CopyId>& copies, const CopyId& copy) {
  return std::find(copies.begin(), copies.end(), copy) != copies.end();
}

template <typename Log>
bool begins_with(const Log& log, const Log& start) {
  return log.size() >= start.size() && std::equal(start.begin(), start.end(), log.begin());
}

}  // namespace

UpkeepWorld::UpkeepWorld(const WalkSpec& spec)
    : random_(spec.seed), spec_(spec), cluster_(spec.seed), controllers_(kControllers) {
  const auto add = [&] {
    const auto number = next_server_++;
    cluster_.add_node(number, 1.0,
                      spec_.zones == 0 ? "" : "z" + std::to_string(number % spec_.zones));
    numbers_[node_id(number)] = number;
    servers_[node_id(number)].suspected.resize(kControllers, false);
  };
  for (std::size_t i = 0; i < spec.servers; ++i) add();
  cluster_.create("pairs", 6, 2);
  cluster_.create("triples", 4, 3);
  cluster_.create("solo", 5, 1);
  solo_ = cluster_.view.find_collection("solo")->shards;
  for (const auto* const name : {"pairs", "triples"}) {
    const auto* const collection = cluster_.view.find_collection(name);
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      const auto& state = collection->shards[i];
      for (const auto& [id, place] : state.copies) {
        Copy copy;
        copy.shard = shards_.size();
        copy.node = place.node;
        copy.known = state;
        if (id == state.primary) copy.reigns = state.term;
        copies_.emplace(id, std::move(copy));
      }
      shards_.push_back({name, ShardId{i}, {}, false, {{state.term, state.primary}}});
    }
  }
  for (auto& controller : controllers_) controller.view = cluster_.view;
}

bool UpkeepWorld::chance(double probability) {
  return std::uniform_real_distribution<double>(0.0, 1.0)(random_) < probability;
}

std::size_t UpkeepWorld::below(std::size_t bound) {
  return random_() % bound;
}

NodeId UpkeepWorld::any_server() {
  return std::next(servers_.begin(), static_cast<std::ptrdiff_t>(below(servers_.size())))->first;
}

void UpkeepWorld::fail(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

ShardState UpkeepWorld::record(const Shard& shard) const {
  return cluster_.view.find_collection(shard.collection)->shards[raw(shard.number)];
}

void UpkeepWorld::put(Shard& shard, ShardState state) {
  const auto before = record(shard);
  if (state.term < before.term) fail("a term went back");
  if (state.epoch != before.epoch + 1) fail("the epoch did not rise by one");
  const auto [known, fresh] = shard.primaries.emplace(state.term, state.primary);
  if (!fresh && known->second != state.primary) fail("two primaries in one term");
  if (!ShardState::from_json(state.to_json()).ok()) fail("a record that cannot be read");
  std::set<NodeId> nodes;
  for (const auto& [copy, place] : state.copies) nodes.insert(place.node);
  if (nodes.size() != state.copies.size()) fail("two copies on one server");
  for (const auto& [copy, place] : state.copies) {
    if (before.copies.contains(copy)) continue;
    Copy made;
    made.shard = static_cast<std::size_t>(&shard - shards_.data());
    made.node = place.node;
    made.made = false;
    made.seen = Term{0};
    made.known = state;
    copies_.emplace(copy, std::move(made));
  }
  cluster_.shard(shard.collection, shard.number) = std::move(state);
}

bool UpkeepWorld::works(const Copy& copy) const {
  return servers_.at(copy.node).up && copy.made && copy.there && !copy.failed;
}

void UpkeepWorld::stop(const NodeId& node) {
  servers_.at(node).up = false;
  for (auto& [id, copy] : copies_) {
    if (copy.node != node) continue;
    copy.restarted = true;
    copy.reigns = Term{0};
    copy.failed = false;
    copy.unsure.reset();
    copy.hand_off_to.reset();
    copy.drop.clear();
    copy.silent.clear();
  }
}

void UpkeepWorld::wipe(const NodeId& node) {
  stop(node);
  for (auto& [id, copy] : copies_) {
    if (copy.node == node && copy.made) copy.there = false;
  }
}

std::size_t UpkeepWorld::active() const {
  std::size_t out = 0;
  for (const auto& [id, node] : cluster_.view.nodes) {
    if (node.record.state == NodeState::Active && !servers_.at(id).never_returns) ++out;
  }
  return out;
}

void UpkeepWorld::trouble() {
  trouble_servers();
  trouble_membership();
  for (std::size_t controller = 0; controller < kControllers; ++controller) {
    if (chance(0.04)) servers_.at(any_server()).suspected[controller] = true;
  }
  for (auto& [id, server] : servers_) {
    for (std::size_t i = 0; i < kControllers; ++i) {
      if (chance(0.1)) server.suspected[i] = false;
    }
    if (chance(0.2)) server.cut_from_store = false;
    if (chance(0.01)) server.cut_from_store = true;
  }
  if (chance(0.08)) parted_.emplace(any_server(), any_server());
  std::erase_if(parted_, [&](const auto&) { return chance(0.15); });
}

void UpkeepWorld::trouble_servers() {
  if (chance(0.06)) stop(any_server());
  for (auto& [id, server] : servers_) {
    if (!server.up && chance(0.06)) server.up = true;
  }
  if (chance(0.006)) wipe(any_server());
  if (chance(0.02)) {
    auto& copy =
        std::next(copies_.begin(), static_cast<std::ptrdiff_t>(below(copies_.size())))->second;
    if (copy.made) {
      copy.failed = true;
      copy.reigns = Term{0};
      copy.unsure.reset();
    }
  }
  for (auto& [id, copy] : copies_) {
    if (!copy.failed || !chance(0.02)) continue;
    copy.failed = false;
    copy.restarted = true;
  }
}

void UpkeepWorld::trouble_membership() {
  if (chance(0.01) && active() < 9) {
    const auto number = next_server_++;
    cluster_.add_node(number, 1.0,
                      spec_.zones == 0 ? "" : "z" + std::to_string(number % spec_.zones));
    numbers_[node_id(number)] = number;
    servers_[node_id(number)].suspected.resize(kControllers, false);
  }
  const auto node = any_server();
  const auto state = cluster_.view.nodes.at(node).record.state;
  if (state == NodeState::Active && active() > 4 && chance(0.01)) {
    cluster_.set_state(numbers_.at(node), NodeState::Draining);
  } else if (state == NodeState::Draining && chance(0.01)) {
    cluster_.set_state(numbers_.at(node), NodeState::Active);
  } else if (state != NodeState::Removed && !servers_.at(node).up && active() > 4 &&
             chance(0.005)) {
    // By force, though it may hold what nobody else has.
    wipe(node);
    servers_.at(node).never_returns = true;
    cluster_.set_state(numbers_.at(node), NodeState::Removed);
  }
}

void UpkeepWorld::remove_emptied() {
  for (const auto& [id, number] : numbers_) {
    if (cluster_.view.nodes.at(id).record.state != NodeState::Draining) continue;
    bool empty = true;
    cluster_.each_shard([&](const CollectionView& collection, const ShardState& state) {
      if (collection.spec.name == "solo") return;
      empty = empty && !PaperCluster::copy_at(state, id);
    });
    if (!empty) continue;
    wipe(id);
    servers_.at(id).never_returns = true;
    cluster_.set_state(number, NodeState::Removed);
  }
}

void UpkeepWorld::heal() {
  parted_.clear();
  for (auto& [id, server] : servers_) {
    server.cut_from_store = false;
    server.suspected.assign(kControllers, false);
    if (server.up || server.never_returns) continue;
    // One that is down stays so, if the others are enough.
    if (active() > 4 && chance(0.3)) {
      wipe(id);
      server.never_returns = true;
    } else {
      server.up = true;
    }
  }
  std::set<NodeId> sound;
  for (const auto& [id, node] : cluster_.view.nodes) {
    if (node.record.state == NodeState::Active && servers_.at(id).up) sound.insert(id);
  }
  for (const auto& [id, copy] : copies_) {
    if (copy.failed) sound.erase(copy.node);
  }
  for (auto& [id, copy] : copies_) {
    // The others stay as they are, for the upkeep to replace, if there are servers to do it with.
    const bool needed = contains(record(shards_[copy.shard]).in_sync, id) || sound.size() < 4;
    if (!copy.failed || !needed) continue;
    copy.failed = false;
    copy.restarted = true;
  }
  for (auto& shard : shards_) check(shard);
}

void UpkeepWorld::step(bool troubled) {
  troubled_ = troubled;
  now_ += std::chrono::seconds(1);
  if (troubled) trouble();
  for (auto& [id, server] : servers_) {
    if (server.never_returns) server.up = false;
  }
  std::vector<CopyId> order;
  for (const auto& [id, copy] : copies_) order.push_back(id);
  std::shuffle(order.begin(), order.end(), random_);
  for (auto& [id, copy] : copies_) copy.heard = false;
  for (const auto& id : order) {
    const auto found = copies_.find(id);
    if (found != copies_.end()) act(found->second, id);
  }
  for (auto& shard : shards_) check(shard);
  for (std::size_t i = 0; i < kControllers; ++i) {
    if (!troubled || chance(0.7)) look_after(i);
  }
  for (auto& shard : shards_) check(shard);
  remove_emptied();
}

void UpkeepWorld::act(Copy& copy, const CopyId& id) {
  if (servers_.at(copy.node).up) copy.made = true;
  if (!works(copy) || !learn(copy, id)) return;
  if (copy.known.primary != id) {
    copy.reigns = Term{0};
    return;
  }
  if (copy.reigns != copy.known.term) reign(copy, id);
  if (copy.reigns != Term{0} && copy.reigns == copy.known.term) lead(copy, id);
}

bool UpkeepWorld::learn(Copy& copy, const CopyId& id) {
  const auto now = record(shards_[copy.shard]);
  const bool told = !servers_.at(copy.node).cut_from_store && (!troubled_ || chance(0.7));
  if (!told || (copy.known.epoch >= now.epoch && !copy.unsure)) return true;
  copy.known = now;
  copy.unsure.reset();
  if (now.copies.contains(id)) return true;
  copies_.erase(id);
  return false;
}

void UpkeepWorld::reign(Copy& copy, const CopyId& id) {
  copy.reigns = Term{0};
  copy.silent.clear();
  if (copy.known.term > copy.seen || (copy.known.term == copy.seen && !copy.restarted)) {
    copy.seen = copy.known.term;
    copy.reigns = copy.known.term;
    copy.restarted = false;
    return;
  }
  if (copy.known.term != copy.seen || copy.unsure) return;
  // What it wrote last may be lost: it begins anew.
  auto desired = copy.known;
  desired.term = Term{raw(desired.term) + 1};
  desired.primary = id;
  swap(copy, std::move(desired));
}

bool UpkeepWorld::accepts(Copy& primary, Copy& other) {
  if (!works(other)) return false;
  if (parted_.contains({primary.node, other.node}) ||
      parted_.contains({other.node, primary.node})) {
    return false;
  }
  if (other.seen > primary.reigns) {
    primary.seen = other.seen;
    primary.reigns = Term{0};
    return false;
  }
  other.seen = primary.reigns;
  other.reigns = Term{0};
  other.heard = true;
  return true;
}

void UpkeepWorld::lead(Copy& primary, const CopyId& id) {
  auto& shard = shards_[primary.shard];
  primary.log.emplace_back(primary.reigns, ++written_);
  std::set<CopyId> required(primary.known.in_sync.begin(), primary.known.in_sync.end());
  if (primary.unsure) {
    required.insert(primary.unsure->in_sync.begin(), primary.unsure->in_sync.end());
  }
  std::set<CopyId> reached{id};
  for (const auto& [other, place] : primary.known.copies) {
    const auto found = copies_.find(other);
    if (other == id || found == copies_.end()) continue;
    const bool accepted = accepts(primary, found->second);
    if (primary.reigns == Term{0}) return;
    auto& silent = primary.silent[other];
    silent = accepted ? 0 : silent + 1;
    // Who is not waited for catches up now and then.
    if (!accepted || (!required.contains(other) && chance(0.6))) continue;
    found->second.log = primary.log;
    reached.insert(other);
  }
  const bool committed =
      std::includes(reached.begin(), reached.end(), required.begin(), required.end());
  if (committed) {
    if (!shard.lost && !begins_with(primary.log, shard.acknowledged)) {
      fail("a primary acknowledges without what was acknowledged before");
    }
    shard.acknowledged = primary.log;
    ++counts_.acknowledged;
  }
  propose(primary, id, reached, committed);
  primary.hand_off_to.reset();
  primary.drop.clear();
}

void UpkeepWorld::propose(Copy& primary, const CopyId& id, const std::set<CopyId>& reached,
                          bool committed) {
  if (primary.unsure) return;
  auto desired = primary.known;
  bool ejects = false;
  for (const auto& [other, silent] : primary.silent) {
    if (silent < kEjectAfter || !contains(desired.in_sync, other)) continue;
    std::erase(desired.in_sync, other);
    ejects = true;
  }
  if (ejects) return swap(primary, std::move(desired));
  if (primary.hand_off_to && committed && reached.contains(*primary.hand_off_to) &&
      contains(desired.in_sync, *primary.hand_off_to)) {
    desired.term = Term{raw(desired.term) + 1};
    desired.primary = *primary.hand_off_to;
    ++counts_.hand_offs;
    return swap(primary, std::move(desired));
  }
  for (const auto& other : primary.drop) {
    if (other == id || desired.copies.erase(other) == 0) continue;
    std::erase(desired.in_sync, other);
    return swap(primary, std::move(desired));
  }
  for (const auto& other : reached) {
    // Only with all that is acknowledged, and writes wait for it from now on.
    if (contains(desired.in_sync, other) || !committed) continue;
    desired.in_sync.push_back(other);
    std::sort(desired.in_sync.begin(), desired.in_sync.end());
    desired.copies.at(other).state = CopyState::Active;
    return swap(primary, std::move(desired));
  }
}

void UpkeepWorld::swap(Copy& by, ShardState desired) {
  auto& shard = shards_[by.shard];
  if (servers_.at(by.node).cut_from_store) return;
  ++desired.epoch;
  const bool request_lost = troubled_ && chance(0.05);
  const bool answer_lost = request_lost || (troubled_ && chance(0.1));
  const bool fits = record(shard).epoch == by.known.epoch;
  if (fits && !request_lost) put(shard, desired);
  if (answer_lost) {
    by.unsure = std::move(desired);
  } else if (fits) {
    by.known = std::move(desired);
  }
}

void UpkeepWorld::check(Shard& shard) {
  const auto state = record(shard);
  bool any = false;
  for (const auto& id : state.in_sync) {
    const auto found = copies_.find(id);
    if (found == copies_.end()) {
      fail("the record names a copy in sync that removed itself");
      continue;
    }
    if (!found->second.there) continue;
    any = true;
    if (!shard.lost && !begins_with(found->second.log, shard.acknowledged)) {
      fail("a copy in sync lacks an acknowledged write");
    }
  }
  if (any || shard.lost) return;
  shard.lost = true;
  ++counts_.lost_shards;
}

Liveness UpkeepWorld::liveness_of(std::size_t controller) const {
  Liveness out;
  for (const auto& [id, server] : servers_) {
    if (!server.up || server.suspected[controller]) out.down.insert(id);
  }
  return out;
}

CopyReports UpkeepWorld::reports_of(const ClusterView& view, const Liveness& liveness) {
  CopyReports out;
  for (const auto& [node, names] : UpkeepPlanner::positions_wanted(view, liveness)) {
    if (troubled_ && chance(0.1)) continue;
    for (const auto& one : names) {
      thrift::CopyPosition said;
      const auto found = copies_.find(one.copy);
      if (found == copies_.end() || !found->second.made || !found->second.there) {
        said.condition = thrift::CopyCondition::Absent;
      } else if (found->second.failed) {
        said.condition = thrift::CopyCondition::Failed;
      } else {
        const auto& copy = found->second;
        said.seen = copy.seen;
        said.hears = copy.heard;
        if (!copy.log.empty()) said.last = {copy.log.back().first, Seq{copy.log.size()}};
      }
      out.emplace(one.copy, said);
    }
  }
  return out;
}

void UpkeepWorld::look_after(std::size_t controller) {
  auto& self = controllers_[controller];
  if (!troubled_ || chance(0.8)) self.view = cluster_.view;
  const auto liveness = liveness_of(controller);
  const auto reports = reports_of(self.view, liveness);
  const std::map<ShardName, Move> moves;
  const std::function<CopyId()> draw = [this] { return CopyId{paper_id("walk", ++drawn_)}; };
  const auto plan = self.planner.plan({self.view, liveness, reports, moves, now_, true, draw});
  std::set<ShardName> named;
  for (const auto& change : plan.changes) {
    if (!named.insert(change.shard).second) fail("two changes of one shard in one round");
    carry_out(change);
  }
}

void UpkeepWorld::carry_out(const ShardChange& change) {
  auto shard = std::find_if(shards_.begin(), shards_.end(), [&](const Shard& one) {
    return one.collection == change.collection && one.number == change.shard.shard;
  });
  if (shard == shards_.end()) return fail("a shard of one copy was touched");
  ++counts_.changes;
  if (!change.to) {
    const auto primary = copies_.find(change.from.primary);
    if (primary == copies_.end() || !works(primary->second)) return;
    if (change.kind == ShardChange::Kind::AskHandOff) {
      primary->second.hand_off_to = change.copy;
    } else {
      primary->second.drop.insert(change.copy);
    }
    return;
  }
  const bool compares = spec_.wrong != Wrong::NoCompare;
  if ((compares && record(*shard) != change.from) || (troubled_ && chance(0.05))) return;
  if (spec_.wrong != Wrong::Nothing) return put(*shard, spoil(*shard, change));
  judge_controller(change.from, *change.to);
  const auto old = copies_.find(change.from.primary);
  switch (change.kind) {
    case ShardChange::Kind::Promote:
      ++counts_.promotions;
      if (old != copies_.end() && works(old->second)) ++counts_.deposed_alive;
      break;
    case ShardChange::Kind::Add: ++counts_.adds; break;
    default: ++counts_.drops; break;
  }
  put(*shard, *change.to);
}

ShardState UpkeepWorld::spoil(const Shard& shard, const ShardChange& change) {
  auto out = *change.to;
  const auto now = record(shard);
  out.epoch = now.epoch + 1;
  if (change.kind != ShardChange::Kind::Promote) return out;
  // Not to be found out by its term.
  out.term = Term{raw(std::max(now.term, change.from.term)) + 1};
  if (spec_.wrong != Wrong::PromotesAnybody) return out;
  for (const auto& [id, place] : out.copies) {
    const auto found = copies_.find(id);
    const bool there = found != copies_.end() && works(found->second);
    if (there && !contains(now.in_sync, id)) out.primary = id;
  }
  if (!contains(out.in_sync, out.primary)) out.in_sync.push_back(out.primary);
  std::sort(out.in_sync.begin(), out.in_sync.end());
  return out;
}

void UpkeepWorld::judge_controller(const ShardState& before, const ShardState& after) {
  const bool promoted = after.primary != before.primary;
  if (promoted && (after.term <= before.term || !contains(before.in_sync, after.primary))) {
    fail("promoted in an old term, or a copy that is not in sync");
  }
  if (!promoted && after.term != before.term) fail("a term without another primary");
  for (const auto& copy : before.in_sync) {
    if (!after.copies.contains(copy)) fail("a controller dropped a copy in sync");
    const bool deposed = promoted && copy == before.primary;
    if (!deposed && !contains(after.in_sync, copy)) fail("a controller ejected a copy");
  }
  for (const auto& copy : after.in_sync) {
    if (!contains(before.in_sync, copy)) fail("a controller let a copy join");
  }
}

std::string UpkeepWorld::wrong() {
  for (auto& shard : shards_) {
    if (shard.lost) continue;
    const auto state = record(shard);
    const auto wanted = cluster_.view.find_collection(shard.collection)->spec.replication_factor;
    auto label = shard.collection + '/' + std::to_string(raw(shard.number)) + ": ";
    for (const auto& [id, copy] : copies_) {
      if (copy.shard != static_cast<std::size_t>(&shard - shards_.data())) continue;
      label += '[' + id.text.substr(0, 4) + (id == state.primary ? " primary" : "") +
               (contains(state.in_sync, id) ? " in sync" : "") + (works(copy) ? "" : " broken") +
               (copy.unsure ? " unsure" : "") + " seen " + std::to_string(raw(copy.seen)) +
               " reigns " + std::to_string(raw(copy.reigns)) + "] ";
    }
    label += "term " + std::to_string(raw(state.term)) + ": ";
    if (state.copies.size() != wanted) {
      return label + std::to_string(state.copies.size()) + " copies";
    }
    if (state.in_sync.size() != wanted) {
      return label + std::to_string(state.in_sync.size()) + " in sync";
    }
    for (const auto& [copy, place] : state.copies) {
      const auto& node = cluster_.view.nodes.at(place.node).record;
      if (node.state != NodeState::Active) return label + "a copy on a server that leaves";
      if (!servers_.at(place.node).up) return label + "a copy on a server that is down";
      if (copies_.at(copy).failed) return label + "a copy that has failed";
    }
  }
  Liveness liveness = liveness_of(0);
  liveness.dead = liveness.down;
  const auto roles = plan_rebalance(cluster_.view, liveness, {0});
  if (roles.ok() && counts_.lost_shards == 0 && !roles->role_swaps.empty()) {
    return "primaries could be spread better";
  }
  if (cluster_.view.find_collection("solo")->shards != solo_) fail("a shard of one copy changed");
  return {};
}

}  // namespace quiver::cluster::testing
