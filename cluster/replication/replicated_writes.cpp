// Callers who write: their turn, what their request means, and their answer.

#include <algorithm>
#include <utility>

#include "cluster/replication/patience.h"
#include "cluster/replication/replicated_copy.h"
#include "cluster/write_resolution.h"
#include "core/text.h"

namespace quiver::cluster::replication {
namespace {

std::vector<std::uint64_t> hashes_of(const std::vector<PointId>& ids) {
  std::vector<std::uint64_t> out;
  out.reserve(ids.size());
  for (const auto& id : ids) out.push_back(stable_hash(id.key()));
  return out;
}

std::vector<PointId> ids_of(const std::vector<Expectation>& expected) {
  std::vector<PointId> ids;
  ids.reserve(expected.size());
  for (const auto& each : expected) ids.push_back(each.id);
  return ids;
}

/// Whether what is written depends on what is stored.
bool depends_on_state(const WriteRequest& request) {
  return !std::holds_alternative<Mutation>(request) || update_of(request) != nullptr;
}

Error unknown() {
  return {ErrorCode::DeadlineExceeded,
          "whether the write took effect is not known: repeat it with the same request id"};
}

Error refusal(WriteOutcome outcome) {
  switch (outcome) {
    case WriteOutcome::NotPrimary:
      return {ErrorCode::WrongOwner, "this copy does not order the writes of the shard"};
    case WriteOutcome::NotServing:
      return {ErrorCode::Unavailable,
              "the shard has a new primary, which takes writes in a moment: repeat the write"};
    case WriteOutcome::TooFewCopies:
      return {ErrorCode::Unavailable,
              "fewer copies of the shard are in sync than a write needs: repeat it when more are"};
    case WriteOutcome::HandingOff:
      return {ErrorCode::Unavailable,
              "another copy is about to order the writes of the shard: repeat the write"};
    case WriteOutcome::TooMany:
      return {ErrorCode::ResourceExhausted,
              "too many writes of the shard wait: repeat it when there are fewer"};
    case WriteOutcome::RetryTooOld:
      return {ErrorCode::FailedPrecondition,
              "the request id is older than the shard remembers: read what is stored, then write "
              "under a new one"};
    case WriteOutcome::Failed:
      return {ErrorCode::Unavailable,
              "this copy of the shard takes no writes: its disk failed, or it was given up"};
    case WriteOutcome::Done:
    case WriteOutcome::DoneBefore:
    case WriteOutcome::Unknown: break;
  }
  return unknown();
}

}  // namespace

Status ReplicatedCopy::check_open() const {
  if (!closed_ && !retired_) return Done{};
  return Error{ErrorCode::WrongOwner, "this copy of the shard has been given up"};
}

Status ReplicatedCopy::take_turn(const CallContext& call, Turn& turn) {
  const MutexLock lock(mutex_);
  turns_.push_back(&turn);
  for (;;) {
    auto status = check_open();
    if (status.ok()) status = call.check();
    if (status.ok() && turns_.front() == &turn) return Done{};
    if (!status.ok()) {
      turns_.erase(std::find(turns_.begin(), turns_.end(), &turn));
      if (!turns_.empty()) turns_.front()->changed.notify_one();
      return status;
    }
    turn.changed.wait_until(mutex_, poll_until(call));
  }
}

void ReplicatedCopy::end_turn() {
  const MutexLock lock(mutex_);
  pass_turn();
}

void ReplicatedCopy::pass_turn() {
  turns_.pop_front();
  if (!turns_.empty()) turns_.front()->changed.notify_one();
}

Result<ReplicatedCopy::Prepared> ReplicatedCopy::prepare(const Mutation& mutation) const {
  const auto shard = disk_->shard();
  if (shard == nullptr) return refusal(WriteOutcome::NotPrimary);
  QV_CHECK(shard->check_append(mutation));
  Prepared prepared;
  QV_TRY(prepared.mutation, storage::encode_mutation(mutation));
  constexpr std::size_t kHeaderBytes = 256;
  if (prepared.mutation.size() + kHeaderBytes > options_.entry_bytes_max) {
    return Error{ErrorCode::InvalidArgument,
                 "a write of " + std::to_string(prepared.mutation.size()) + " bytes; at most " +
                     std::to_string(options_.entry_bytes_max - kHeaderBytes) +
                     " travel to the other copies at once: send fewer points"};
  }
  prepared.touched = hashes_of(cluster::ids_of(mutation));
  return prepared;
}

Result<MutationResult> ReplicatedCopy::write(const CallContext& call, const WriteRequest& request) {
  QV_TRY(const auto written, write_at(call, request));
  return written.result;
}

Result<Written> ReplicatedCopy::write_at(const CallContext& call, const WriteRequest& request) {
  std::optional<Prepared> prepared;
  // What can be done before the turn is done by all at once.
  if (!depends_on_state(request)) {
    QV_TRY(prepared, prepare(std::get<Mutation>(request)));
  }
  Turn turn;
  QV_CHECK(take_turn(call, turn));
  Writing mine;
  mine.request = call.request_id;
  auto begun = begin_write(call, request, prepared, mine);
  end_turn();
  send_out();
  if (!begun.ok()) return std::move(begun).error();
  if (*begun) return **begun;
  return await_write(call, mine);
}

Result<std::optional<Written>> ReplicatedCopy::begin_write(const CallContext& call,
                                                           const WriteRequest& request,
                                                           std::optional<Prepared>& prepared,
                                                           Writing& mine) {
  const bool depends = depends_on_state(request);
  for (;;) {
    bool logged = false;
    Term term{0};
    {
      const MutexLock lock(mutex_);
      QV_CHECK(check_open());
      logged = fsm_.log().find(call.request_id).has_value();
      term = fsm_.seen();
      if (fsm_.role() != Role::Primary) {
        // It refuses, whatever is written.
        ask(call, nullptr, call.request_id, mine);
        return std::optional<Written>{};
      }
      if (depends && !logged) QV_CHECK(await_state(call, request, term));
    }
    // Entries leave the log's view when the table has them, so that one of the two knows.
    if (!logged) {
      if (auto earlier = look_up(call.request_id)) return earlier;
    }
    std::vector<Prepared> parts;
    if (!depends) {
      parts.push_back(*prepared);
    } else if (!logged) {
      QV_TRY(auto resolved, resolve(request));
      if (!resolved) {
        // That nothing is to be done is said of the newest state, which only a primary knows.
        QV_TRY(const auto newest, read(call, ReadLevel::Linearizable));
        return std::optional(Written{{}, newest->applied()});
      }
      parts = std::move(*resolved);
    }
    const MutexLock lock(mutex_);
    QV_CHECK(check_open());
    const bool same = fsm_.role() == Role::Primary && fsm_.seen() == term &&
                      fsm_.log().find(call.request_id).has_value() == logged;
    if (!same) continue;
    QV_CHECK(ask(call, parts, mine));
    return std::optional<Written>{};
  }
}

Seq ReplicatedCopy::state_needed(const WriteRequest& request) const {
  const Seq tail = fsm_.log().tail();
  std::vector<PointId> ids;
  if (const auto* conditional = std::get_if<UpsertIf>(&request)) {
    ids = ids_of(conditional->expected);
  } else if (const auto* update = update_of(request)) {
    ids = update->ids;
  } else {
    return tail;
  }
  return std::min(touched_.needed(hashes_of(ids)), tail);
}

Status ReplicatedCopy::await_state(const CallContext& call, const WriteRequest& request,
                                   Term term) {
  while (applied_ < state_needed(request) && fsm_.role() == Role::Primary && fsm_.seen() == term) {
    QV_CHECK(check_open());
    QV_CHECK(call.check());
    applied_changed_.wait_until(mutex_, poll_until(call));
  }
  return Done{};
}

Result<std::optional<std::vector<ReplicatedCopy::Prepared>>> ReplicatedCopy::resolve(
    const WriteRequest& request) const {
  const auto shard = disk_->shard();
  if (shard == nullptr) return refusal(WriteOutcome::NotPrimary);
  std::vector<Prepared> parts;
  if (const auto* update = update_of(request)) {
    QV_CHECK(check_update(*shard, *update));
    QV_TRY(parts.emplace_back(), prepare(Mutation{*update}));
  } else if (const auto* matching = std::get_if<EraseMatching>(&request)) {
    QV_TRY(auto erases, erasures(*shard, matching->filter));
    for (auto& erase : erases) {
      QV_TRY(parts.emplace_back(), prepare(Mutation{std::move(erase)}));
    }
  } else {
    const auto& conditional = std::get<UpsertIf>(request);
    QV_TRY(const bool as_expected, holds(*shard, conditional.expected));
    if (!as_expected) return std::optional<std::vector<Prepared>>{};
    QV_TRY(parts.emplace_back(), prepare(Mutation{UpsertPoints{conditional.points}}));
  }
  return std::optional(std::move(parts));
}

Status ReplicatedCopy::ask(const CallContext& call, const std::vector<Prepared>& parts,
                           Writing& mine) {
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    // The last result counts the points of all, and has the request id: whoever repeats what was
    // cut off in between erases the rest.
    Writing part;
    ask(call, &parts[i], {}, part);
    forget(part);
    if (part.outcome) return i == 0 ? refusal(*part.outcome) : unknown();
  }
  ask(call, parts.empty() ? nullptr : &parts.back(), call.request_id, mine);
  if (parts.size() > 1 && mine.outcome) return unknown();
  return Done{};
}

void ReplicatedCopy::ask(const CallContext& call, const Prepared* prepared,
                         const RequestId& request, Writing& mine) {
  mine.tag = Tag{++tags_};
  mine.request = request;
  mine.prepared = prepared;
  asked_.emplace(mine.tag, &mine);
  writing_now_ = &mine;
  step(WriteAsked{mine.tag, request, Seen::No, call.deadline.value_or(Time::max())});
  writing_now_ = nullptr;
  mine.prepared = nullptr;
}

void ReplicatedCopy::act(const AppendWrite& action) {
  const Writing& write = *writing_now_;
  // Its length has been checked, and nothing else can be wrong with it.
  auto bytes = storage::encode_log_entry(action.position, write.request, write.prepared->mutation);
  auto entry = std::make_shared<const storage::EncodedEntry>(storage::EncodedEntry{
      action.position.term, action.position.seq, write.request, std::move(bytes).value()});
  touched_.add(write.prepared->touched, action.position.seq);
  cache_.append(entry);
  disk_->append({std::move(entry)}, action.ticket);
}

void ReplicatedCopy::act(const AnswerWrite& action) {
  const auto found = asked_.find(action.tag);
  // Its caller has gone away.
  if (found == asked_.end()) return;
  Writing& writing = *found->second;
  asked_.erase(found);
  if (action.outcome != WriteOutcome::Done && action.outcome != WriteOutcome::DoneBefore) {
    return answer(writing, action.outcome);
  }
  // It is committed, and visible as soon as it is applied here.
  writing.before = action.outcome == WriteOutcome::DoneBefore;
  writing.awaited = writing.before ? apply_asked_ : action.position.seq;
  if (writing.awaited <= applied_) {
    writing.look_up = true;
    writing.changed.notify_one();
  } else {
    committed_.emplace(writing.awaited, &writing);
  }
}

void ReplicatedCopy::answer(Writing& writing, WriteOutcome outcome) {
  writing.outcome = outcome;
  writing.changed.notify_one();
}

void ReplicatedCopy::answer_applied(Seq through, const std::vector<MutationResult>& results) {
  const std::uint64_t first = raw(through) + 1 - results.size();
  const auto end = committed_.upper_bound(through);
  for (auto it = committed_.begin(); it != end; it = committed_.erase(it)) {
    Writing& writing = *it->second;
    const std::uint64_t seq = raw(it->first);
    // One that was done before waits for what was to be applied then: the table has its result.
    if (writing.before || seq < first) {
      writing.look_up = true;
    } else {
      writing.result = results[seq - first];
    }
    writing.changed.notify_one();
  }
}

void ReplicatedCopy::forget(Writing& writing) {
  asked_.erase(writing.tag);
  std::erase_if(committed_, [&](const auto& each) { return each.second == &writing; });
}

void ReplicatedCopy::fail_waiting() {
  for (const auto& [unused, writing] : asked_) answer(*writing, WriteOutcome::Unknown);
  for (const auto& [unused, writing] : committed_) answer(*writing, WriteOutcome::Unknown);
  asked_.clear();
  committed_.clear();
  for (const auto& [tag, reading] : readings_) {
    reading->answer = AnswerRead{tag, ReadOutcome::Failed, {}};
    reading->changed.notify_one();
  }
  readings_.clear();
  for (auto* turn : turns_) turn->changed.notify_one();
  applied_changed_.notify_all();
}

Result<Written> ReplicatedCopy::await_write(const CallContext& call, Writing& mine) {
  {
    const MutexLock lock(mutex_);
    while (!mine.settled()) {
      if (!call.check().ok()) {
        forget(mine);
        return unknown();
      }
      mine.changed.wait_until(mutex_, poll_until(call));
    }
    if (mine.outcome) return refusal(*mine.outcome);
    if (mine.result) return Written{*mine.result, mine.awaited};
  }
  if (auto earlier = look_up(mine.request)) return *earlier;
  // It is done, but what it did has left the table meanwhile.
  return unknown();
}

std::optional<Written> ReplicatedCopy::look_up(const RequestId& request) const {
  const auto shard = disk_->shard();
  if (shard == nullptr) return std::nullopt;
  const auto found = shard->find_request(request);
  if (!found) return std::nullopt;
  return Written{*found, shard->applied()};
}

Result<LogPosition> ReplicatedCopy::hold(const CallContext& call) {
  {
    const MutexLock lock(mutex_);
    if (held_ != nullptr || holding_) {
      return Error{ErrorCode::FailedPrecondition, "the shard's writes are held back already"};
    }
    holding_ = true;
    hold_wanted_ = true;
  }
  auto turn = std::make_unique<Turn>();
  auto held = take_turn(call, *turn);
  const bool has_turn = held.ok();
  const MutexLock lock(mutex_);
  if (has_turn) held = await_tail(call);
  holding_ = false;
  if (!held.ok()) {
    if (has_turn) pass_turn();
    return std::move(held).error();
  }
  held_ = std::move(turn);
  return fsm_.log().history().last();
}

Status ReplicatedCopy::await_tail(const CallContext& call) {
  for (;;) {
    QV_CHECK(check_open());
    if (!hold_wanted_) {
      return Error{ErrorCode::FailedPrecondition,
                   "the shard's writes were let go before they were held back"};
    }
    if (fsm_.role() != Role::Primary) return refusal(WriteOutcome::NotPrimary);
    if (applied_ >= fsm_.log().tail()) return Done{};
    QV_CHECK(call.check());
    applied_changed_.wait_until(mutex_, poll_until(call));
  }
}

void ReplicatedCopy::release() {
  const MutexLock lock(mutex_);
  hold_wanted_ = false;
  applied_changed_.notify_all();
  if (held_ == nullptr) return;
  pass_turn();
  held_.reset();
}

void ReplicatedCopy::retire() {
  const MutexLock lock(mutex_);
  retired_ = true;
  for (auto* turn : turns_) turn->changed.notify_one();
}

}  // namespace quiver::cluster::replication
