#include "cluster/upkeep/upkeep.h"

#include <algorithm>
#include <utility>

#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {

Upkeep::Upkeep(Parts parts, const Options& options)
    : parts_(std::move(parts)), options_(options), planner_(options.planner) {}

Status Upkeep::round(const CallContext& call, const Wishes& wishes) {
  const auto view = parts_.views.current();
  const auto liveness = parts_.liveness(*view);
  auto reports = poll_copies(call, *view, UpkeepPlanner::positions_wanted(*view, liveness),
                             parts_.reach, parts_.fan_out, options_.patience);
  const std::function<CopyId()> draw = [] { return CopyId{RequestId::random().hex()}; };
  auto plan = planner_.plan(
      {*view, liveness, reports, wishes.moves, parts_.clock.now(), wishes.replaces, draw});
  const auto& changes = plan.changes;
  std::vector<Status> outcomes(changes.size(), Status(Done{}));
  std::vector<Revision> written(changes.size(), Revision{0});
  parts_.fan_out.run(changes.size(), [&](std::size_t i) {
    outcomes[i] = carry_out(call, *view, changes[i], written[i]);
  });
  {
    const MutexLock lock(mutex_);
    unresolved_ = std::move(plan.unresolved);
    reports_ = std::move(reports);
  }
  const auto newest = std::max_element(written.begin(), written.end());
  if (newest != written.end() && *newest != Revision{0}) {
    QV_CHECK(parts_.views.await(call, *newest));
  }
  for (auto& outcome : outcomes) QV_CHECK(std::move(outcome));
  return Done{};
}

std::vector<Unresolved> Upkeep::unresolved() const {
  const MutexLock lock(mutex_);
  return unresolved_;
}

std::optional<thrift::CopyPosition> Upkeep::position(const CopyId& copy) const {
  const MutexLock lock(mutex_);
  const auto found = reports_.find(copy);
  if (found == reports_.end()) return std::nullopt;
  return found->second;
}

Status Upkeep::carry_out(const CallContext& call, const ClusterView& view,
                         const ShardChange& change, Revision& written) {
  auto done = change.to ? write(call, change, written) : ask(call, view, change);
  if (!done.ok()) {
    QV_LOG_WARN("shard_change_failed kind={} collection={} shard={} error=\"{}\"",
                name(change.kind), change.collection, raw(change.shard.shard),
                done.error().message);
  }
  return done;
}

Status Upkeep::write(const CallContext& call, const ShardChange& change, Revision& written) {
  const auto key = keys::shard(change.shard.collection_id, change.shard.shard);
  QV_TRY(const auto entry, parts_.store.get(call, key));
  if (!entry) return Done{};
  QV_TRY(const auto state, ShardState::from_json(Json::parse(entry->value, nullptr, false)));
  // Somebody was quicker: what is right now, the next round decides.
  if (state != change.from) return Done{};
  QV_TRY(const auto swapped, decided(parts_.store.txn(call, {{key, entry->revision}},
                                                      {{key, change.to->to_json().dump()}})));
  if (swapped != TxnOutcome::Done) return Done{};
  written = swapped.revision;
  QV_LOG_INFO("shard_changed kind={} collection={} shard={} copy={} node={} term={} why=\"{}\"",
              name(change.kind), change.collection, raw(change.shard.shard), change.copy.text,
              change.node.text, raw(change.to->term), change.why);
  return Done{};
}

Status Upkeep::ask(const CallContext& call, const ClusterView& view, const ShardChange& change) {
  using Kind = thrift::PrimaryOrder::Kind;
  const bool hand_off = change.kind == ShardChange::Kind::AskHandOff;
  QV_TRY(const auto peer, parts_.reach(view, *change.from.primary_node()));
  thrift::ShardCall order;
  static_cast<thrift::NodeCall&>(order) = short_call(call, view, options_.patience);
  order.term = change.from.term;
  order.collection = change.shard.collection_id;
  order.shard = change.shard.shard;
  order.copy = change.from.primary;
  auto asked = peer->direct(order, {hand_off ? Kind::HandOff : Kind::Drop, change.copy});
  if (!asked.ok()) return asked.error();
  return Done{};
}

}  // namespace quiver::cluster
