#include <algorithm>
#include <string>
#include <utility>

#include "cluster/migration/move_hold.h"
#include "cluster/migration/move_source.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

// Attempts at a change that others were quicker with each time, or whose outcome is not known.
constexpr int kAttempts = 10;
// For what the housekeeper tries by itself.
constexpr std::chrono::seconds kSettleTime{5};

Error refused(const std::string& why) {
  return {ErrorCode::FailedPrecondition, "hand_over: " + why};
}

Error still_open() {
  return {ErrorCode::Unavailable,
          "hand_over: the coordination store has not said whether it took effect; ask again"};
}

Result<ShardState> read_state(const Entry& entry) {
  return ShardState::from_json(Json::parse(entry.value, nullptr, false));
}

}  // namespace

thrift::Answered MoveSource::hand_over(const thrift::ShardCall& call,
                                       const thrift::HandOverCall& wanted) {
  const auto seized = seize(call);
  if (!seized.ok()) return {Status(seized.error()), info()};
  const auto& hold = *seized;
  if (hold == nullptr) {
    // An earlier call may have done it, and its answer may have been lost.
    if (parts_.views.refresh(call.context).ok() && has_taken_over(call, wanted.to_copy)) {
      return {Status(Done{}), info()};
    }
    return {Status(refused("the shard's writes have not been held back since the checkpoint")),
            info()};
  }
  Status outcome = Done{};
  if (hold->hand_over) {
    if (hold->hand_over->to_copy != wanted.to_copy) outcome = still_open();
  } else {
    const MutexLock lock(mutex_);
    if (!hold->checkpoint || hold->checkpoint->id() != wanted.checkpoint) {
      outcome = refused("the checkpoint \"" + wanted.checkpoint + "\" is not of this hold");
    } else {
      hold->hand_over = HandOver{wanted.to_copy, wanted.to_node, Revision{0}, {}, false, {}};
    }
  }
  if (outcome.ok()) {
    outcome = carry_out(call.context, hold);
  } else {
    let_go(hold);
  }
  auto beside = info();
  beside.outcome_unknown = !outcome.ok() && outcome.error().code == ErrorCode::Unavailable;
  return {std::move(outcome), std::move(beside)};
}

Status MoveSource::carry_out(const CallContext& call, const HoldPtr& hold) {
  if (!hold->hand_over->done) {
    parts_.host.block(hold->place);
    const auto decision = decide(call, *hold);
    const bool open = decision.ok() && *decision == Decision::Open;
    if (!decision.ok()) hold->hand_over.reset();
    if (open || !decision.ok()) {
      // While it is open, the shard may be written elsewhere: reads of it here wait.
      if (!open) parts_.host.unblock(hold->place);
      {
        const MutexLock lock(mutex_);
        hold->settle_at = std::chrono::steady_clock::now() + options_.settle_every;
        if (!open) prolong(*hold, hold->span);
      }
      let_go(hold);
      return open ? still_open() : Status(decision.error());
    }
    QV_LOG_INFO("shard_handed_over collection={} shard={} to={}", hold->place.collection,
                raw(hold->place.shard), hold->hand_over->to_node.text);
  }
  return conclude(call, hold);
}

Status MoveSource::prepare(const CallContext& call, Hold& hold) {
  auto& mine = *hold.hand_over;
  QV_TRY(const auto entry,
         parts_.store.get(call, keys::shard(hold.place.collection, hold.place.shard)));
  if (!entry) return refused("the collection was deleted");
  QV_TRY(auto state, read_state(*entry));
  if (state.primary != hold.place.copy) return refused("the copy here is not the primary");
  if (state.copies.size() != 2 || state.in_sync.size() != 1) {
    return refused("the shard has other copies besides");
  }
  const auto target = state.copies.find(mine.to_copy);
  if (target == state.copies.end() || target->second.node != mine.to_node ||
      target->second.state != CopyState::New) {
    return refused("the shard's record names no copy " + mine.to_copy.text + " at server " +
                   mine.to_node.text + " that is being filled");
  }
  target->second.state = CopyState::Active;
  state.copies.erase(state.primary);
  state.primary = mine.to_copy;
  state.in_sync = {mine.to_copy};
  state.term = Term{raw(state.term) + 1};
  ++state.epoch;
  mine.revision = entry->revision;
  mine.value = state.to_json().dump();
  return parts_.keep_map ? parts_.keep_map(call, entry->revision) : Status(Done{});
}

Result<MoveSource::Decision> MoveSource::decide(const CallContext& call, Hold& hold) {
  auto& mine = *hold.hand_over;
  const std::string key = keys::shard(hold.place.collection, hold.place.shard);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!mine.unknown) QV_CHECK(prepare(call, hold));
    const auto result = parts_.store.txn(call, {{key, mine.revision}}, {{key, mine.value}});
    if (!result.ok()) {
      // Says of this transaction only that it did nothing.
      if (mine.unknown) return Decision::Open;
      return result.error();
    }
    if (*result == TxnOutcome::Unknown) mine.unknown = true;
    if (*result == TxnOutcome::Done) mine.done = result->revision;
    if (*result == TxnOutcome::Conflict && mine.unknown) {
      // The record has changed, and what was sent can take effect no more; whether it did, the
      // record says.
      const auto gone = lost(call, hold);
      if (!gone.ok()) return Decision::Open;
      if (*gone) mine.done = result->revision;
      mine.unknown = false;
    }
    if (mine.done) return Decision::HandedOver;
    if (!call.check().ok()) break;
  }
  if (mine.unknown) return Decision::Open;
  return Error{ErrorCode::Unavailable, "hand_over: the shard's record keeps changing; try again"};
}

Result<bool> MoveSource::lost(const CallContext& call, Hold& hold) {
  const std::string key = keys::shard(hold.place.collection, hold.place.shard);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry) return true;
    // As old as what was to be replaced: the read has not caught up.
    if (entry->revision == hold.hand_over->revision) continue;
    QV_TRY(const auto state, read_state(*entry));
    // A copy that was given up never comes back, so that a later record tells, too.
    return state.primary != hold.place.copy;
  }
  return still_open();
}

Status MoveSource::conclude(const CallContext& call, const HoldPtr& hold) {
  // Who waits to write learns of the new owner; reads go on waiting until this server knows it.
  hold->use->retire();
  if (auto known = parts_.views.await(call, *hold->hand_over->done); !known.ok()) {
    {
      const MutexLock lock(mutex_);
      hold->settle_at = std::chrono::steady_clock::now() + options_.settle_every;
    }
    let_go(hold);
    // It has been decided all the same; what is left to do here does not concern the caller.
    return Done{};
  }
  const auto place = hold->place;
  end(hold);
  if (const auto dropped = parts_.host.drop(place); !dropped.ok()) {
    QV_LOG_WARN("copy_left collection={} shard={} copy={} error=\"{}\" remedy=removed_later",
                place.collection, raw(place.shard), place.copy.text, dropped.error().message);
  }
  return Done{};
}

bool MoveSource::has_taken_over(const thrift::ShardCall& call, const CopyId& copy) const {
  const auto view = parts_.views.current();
  const auto found = view->collections_by_id.find(call.collection);
  return found != view->collections_by_id.end() && raw(call.shard) < found->second->shards.size() &&
         found->second->shards[raw(call.shard)].primary == copy;
}

void MoveSource::settle(const HoldPtr& hold) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kSettleTime;
  if (const auto settled = carry_out(call, hold); !settled.ok()) {
    QV_LOG_WARN("hand_over_open collection={} shard={} error=\"{}\"", hold->place.collection,
                raw(hold->place.shard), settled.error().message);
  }
}

Status MoveSource::fence(const CallContext& call) {
  // A hand-over was sent while the record named a copy that was being filled. The put is behind it,
  // and so is what is read from here on.
  for (int attempt = 0;; ++attempt) {
    QV_TRY(const auto put, parts_.store.txn(call, {}, {{keys::proof(self_), "{}"}}));
    if (put == TxnOutcome::Done) {
      QV_CHECK(parts_.views.await(call, put.revision));
      break;
    }
    if (attempt == kAttempts) return put.why;
  }
  const auto view = parts_.views.current();
  for (const auto& [id, collection] : view->collections_by_id) {
    if (has_several_copies(*collection)) continue;
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      const auto& state = collection->shards[i];
      const auto* const owner = state.primary_node();
      if (owner == nullptr || *owner != self_ || state.copies.size() < 2) continue;
      QV_CHECK(fence_shard(call, keys::shard(id, ShardId{i})));
    }
  }
  return Done{};
}

Status MoveSource::fence_shard(const CallContext& call, const std::string& key) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry) return Done{};
    QV_TRY(auto state, read_state(*entry));
    ++state.epoch;
    QV_TRY(const auto raised,
           parts_.store.txn(call, {{key, entry->revision}}, {{key, state.to_json().dump()}}));
    // What was sent compares an older revision and can take effect no more.
    if (raised == TxnOutcome::Done) return parts_.views.await(call, raised.revision);
  }
  return Error{ErrorCode::Unavailable, "the record of a shard keeps changing; try again"};
}

}  // namespace quiver::cluster
