#include "cluster/migration/mover.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cluster/migration/move_task.h"
#include "cluster/migration/strays.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

// Of one transaction or read, and of what is done by the way.
constexpr std::chrono::seconds kStoreTime{10};
constexpr std::chrono::seconds kBesideTime{3};
// Between two looks while the store cannot be reached.
constexpr std::chrono::seconds kLookAgain{1};
constexpr int kAttempts = 10;

}  // namespace

Mover::Mover(Parts parts, NodeId self, const Options& options)
    : parts_(std::move(parts)),
      self_(std::move(self)),
      options_(options),
      records_(parts_.store, self_),
      receiver_(parts_.shards, options.receive) {}

Mover::~Mover() {
  stop();
}

Status Mover::start(const CallContext& call) {
  QV_CHECK(parts_.shards.discard_all_incoming());
  QV_CHECK(remove_strays(call, parts_.store, *parts_.views.current(), self_, parts_.shards,
                         parts_.host));
  QV_TRY(const auto moves, parts_.store.list(call, keys::kMoves));
  QV_TRY(watch_, parts_.store.watch(keys::kMoves, moves.revision, [this](const WatchBatch&) {
    const MutexLock lock(mutex_);
    news_ = true;
    wake_.notify_all();
  }));
  for (std::size_t i = 0; i < std::max<std::size_t>(options_.incoming_max, 1); ++i) {
    threads_.emplace_back([this] { work(); });
  }
  return Done{};
}

void Mover::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  cancel_.cancel();
  wake_.notify_all();
  watch_.reset();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

bool Mover::pause(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopping_ && std::chrono::steady_clock::now() < until) wake_.wait_until(mutex_, until);
  return !stopping_;
}

void Mover::work() {
  auto again = std::chrono::steady_clock::now();
  while (true) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && !news_ && std::chrono::steady_clock::now() < again) {
        wake_.wait_until(mutex_, again);
      }
      if (stopping_) return;
      news_ = false;
    }
    while (const auto task = next(again)) carry_on(*task);
  }
}

std::unique_ptr<Mover::Task> Mover::next(std::chrono::steady_clock::time_point& again) {
  const auto now = std::chrono::steady_clock::now();
  again = now + std::chrono::hours(1);
  const auto moves = parts_.store.list(context(), keys::kMoves);
  if (!moves.ok()) {
    again = now + kLookAgain;
    return nullptr;
  }
  const MutexLock lock(mutex_);
  if (stopping_) return nullptr;
  for (const auto& entry : moves->entries) {
    auto record = MoveRecord::parse(entry.value);
    if (!record.ok()) {
      QV_LOG_ERROR("move_not_understood key={} error=\"{}\"", entry.key, record.error().message);
      continue;
    }
    if (record->move.to != self_ || record->finished() || replicates(*record)) continue;
    const auto id = entry.key.substr(keys::kMoves.size());
    if (busy_.contains(id)) continue;
    if (const auto due = due_.find(id); due != due_.end() && due->second > now) {
      again = std::min(again, due->second);
      continue;
    }
    busy_.insert(id);
    return std::make_unique<Task>(
        Task{id, std::move(record).value(), entry.revision, std::move(transfers_[id]), {}});
  }
  return nullptr;
}

void Mover::put_back(const Task& task, bool failed) {
  const MutexLock lock(mutex_);
  busy_.erase(task.id);
  news_ = true;
  if (!failed) {
    due_.erase(task.id);
    transfers_.erase(task.id);
    return;
  }
  const auto doublings =
      std::min<std::uint32_t>(std::max<std::uint32_t>(task.record.attempts, 1), 16) - 1;
  const auto wait = std::min(options_.backoff * (std::int64_t{1} << doublings),
                             std::chrono::milliseconds(options_.backoff_max));
  due_[task.id] = std::chrono::steady_clock::now() + wait;
  transfers_[task.id] = task.transfer;
}

CallContext Mover::context() const {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kStoreTime;
  call.cancel = cancel_;
  return call;
}

bool Mover::replicates(const MoveRecord& record) const {
  const auto view = parts_.views.current();
  const auto* const collection = view->collection_of(record.move.collection_id);
  return collection != nullptr && has_several_copies(*collection);
}

std::optional<std::string> Mover::unwanted(const Task& task) const {
  const auto view = parts_.views.current();
  const auto& move = task.record.move;
  if (!view->collections_by_id.contains(move.collection_id)) return "the collection was deleted";
  const auto* const here = view->find_node(self_);
  if (here == nullptr || here->record.state != NodeState::Active) {
    return "the server that it leads to is not active";
  }
  return std::nullopt;
}

void Mover::carry_on(Task& task) {
  // What others did before they recorded the move is known then, the collection included.
  if (!parts_.views.await(context(), task.revision).ok()) return put_back(task, true);
  if (replicates(task.record)) return put_back(task, false);
  while (!task.record.finished()) {
    auto after = step(task);
    if (after.ok()) {
      task.record.phase = *after;
      task.record.updated_ms = parts_.clock.wall_ms();
      if (auto saved = save(task); !saved.ok()) return fail(task, saved.error());
      continue;
    }
    return fail(task, after.error());
  }
  if (task.record.phase == MovePhase::Done) {
    QV_LOG_INFO("move_done id={} collection={} shard={}", task.id, task.record.move.collection,
                raw(task.record.move.shard));
  }
  put_back(task, false);
}

Mover::Step Mover::step(Task& task) {
  switch (task.record.phase) {
    case MovePhase::Planned: return MovePhase::Adding;
    case MovePhase::Adding: return add(task);
    case MovePhase::Copying: return copy(task);
    case MovePhase::HandingOver: return hand_over(task);
    default: return task.record.phase;
  }
}

Mover::Step Mover::add(Task& task) {
  const auto& record = task.record;
  std::string why = unwanted(task).value_or("");
  bool primary = false;
  if (why.empty()) {
    const auto edit = [&](ShardState& state) {
      why.clear();
      primary = state.primary == record.to_copy;
      if (state.copies.contains(record.to_copy)) return false;
      if (state.primary != *record.move.copy) {
        why = "the shard has another owner by now";
      } else if (state.copies.size() != 1) {
        why = "the shard is on another move";
      }
      if (!why.empty()) return false;
      state.copies.emplace(record.to_copy, CopyPlace{self_, CopyState::New});
      return true;
    };
    QV_TRY(const auto added,
           records_.change(context(), record.move.collection_id, record.move.shard, edit));
    if (!added.state) why = "the collection was deleted";
    if (why.empty()) QV_CHECK(parts_.views.await(context(), added.revision));
  }
  if (why.empty()) return primary ? MovePhase::Done : MovePhase::Copying;
  QV_CHECK(abandon(task, MovePhase::Aborted, why));
  return task.record.phase;
}

Result<std::shared_ptr<thrift::NodeHandler>> Mover::source_of(const Task& task) const {
  return parts_.reach(*parts_.views.current(), *task.record.move.from);
}

thrift::ShardCall Mover::source_call(const Task& task) const {
  const auto& move = task.record.move;
  thrift::ShardCall call;
  call.context.cancel = cancel_;
  call.epoch = parts_.views.current()->epoch;
  call.trace = "move " + task.id;
  call.caller = self_.text;
  call.collection = move.collection_id;
  call.shard = move.shard;
  call.copy = *move.copy;
  return call;
}

Mover::Step Mover::copy(Task& task) {
  if (const auto why = unwanted(task)) {
    QV_CHECK(abandon(task, MovePhase::Aborted, *why));
    return task.record.phase;
  }
  const auto& record = task.record;
  // Nobody was asked to hand over to it yet: what an earlier attempt made of it is worth nothing.
  QV_CHECK(parts_.host.drop({record.move.collection_id, record.move.shard, record.to_copy}));
  QV_TRY(const auto source, source_of(task));
  auto said = std::chrono::steady_clock::now();
  const auto progress = [&](const Transfer& transfer) -> Status {
    task.record.bytes_done = transfer.bytes_done;
    task.record.bytes_total = transfer.bytes_total;
    const auto now = std::chrono::steady_clock::now();
    if (now < said + options_.progress_every) return Done{};
    said = now;
    task.record.updated_ms = parts_.clock.wall_ms();
    return save(task);
  };
  QV_CHECK(receiver_.receive(source_call(task), *source, record.to_copy, task.transfer, progress));
  task.record.bytes_done = task.record.bytes_total = task.transfer.bytes_total;
  QV_CHECK(adopt(task, *source));
  return MovePhase::HandingOver;
}

Status Mover::adopt(Task& task, thrift::NodeHandler& source) {
  const auto& move = task.record.move;
  const auto view = parts_.views.current();
  const auto collection = view->collections_by_id.find(move.collection_id);
  if (collection == view->collections_by_id.end()) {
    return Error{ErrorCode::NotFound, "the collection was deleted"};
  }
  const auto& spec = collection->second->spec;
  // Reading all of a large copy takes long, and its source must not take that for a crash.
  const KeepHeld keep(source, receiver_, source_call(task), options_.receive.hold);
  QV_CHECK(parts_.shards.adopt(spec, move.shard, task.record.to_copy));
  // Were they needed again, they would have to be fetched again.
  task.transfer.file = 0;
  task.transfer.bytes_done = 0;
  // Open now, so that the first search behind the hand-over does not wait for it.
  QV_TRY(task.use, parts_.host.use(spec, move.shard, task.record.to_copy));
  return Done{};
}

Result<bool> Mover::ask_for_hand_over(Task& task) {
  if (task.transfer.checkpoint.id.empty()) return false;
  QV_TRY(const auto source, source_of(task));
  const thrift::HandOverCall wanted{task.transfer.checkpoint.id, task.record.to_copy, self_};
  const auto answer = source->hand_over(receiver_.timed(source_call(task)), wanted);
  if (answer.ok()) return true;
  task.record.error = answer.error().message;
  return false;
}

Mover::Step Mover::hand_over(Task& task) {
  const auto asked = ask_for_hand_over(task);
  if (!asked.ok()) task.record.error = asked.error().message;
  bool taken_over = asked.ok() && *asked;
  if (!taken_over) {
    // Whatever was asked: the record decides, and from here on nothing else can change it.
    QV_TRY(taken_over, withdraw(task));
  }
  if (taken_over) {
    // Others come with this server's own record as soon as they know it.
    QV_CHECK(parts_.views.refresh(context()));
    task.record.error.clear();
    return MovePhase::Done;
  }
  // Longer than its writes may wait: the source has let them go on.
  const bool overdue = !task.transfer.checkpoint.id.empty() && receiver_.is_overdue(task.transfer);
  if (overdue) {
    task.transfer.bytes_done = task.transfer.bytes_total;
    task.record.error = receiver_.give_up(task.transfer).message;
  }
  task.record.to_copy = CopyId{RequestId::random().hex()};
  task.transfer = {};
  task.transfer.hopeless = overdue;
  task.record.phase = MovePhase::Adding;
  QV_CHECK(save(task));
  const bool interrupted = task.record.error.empty();
  return Error{ErrorCode::Unavailable,
               interrupted ? "this server was restarted during the hand-over" : task.record.error};
}

Result<bool> Mover::withdraw(Task& task) {
  const auto& record = task.record;
  bool primary = false;
  QV_TRY(const auto changed, records_.change(context(), record.move.collection_id,
                                             record.move.shard, [&](ShardState& state) {
                                               primary = state.primary == record.to_copy;
                                               return !primary &&
                                                      state.copies.erase(record.to_copy) != 0;
                                             }));
  if (primary) return true;
  QV_CHECK(parts_.views.await(context(), changed.revision));
  task.use = {};
  QV_CHECK(parts_.shards.discard_incoming(record.to_copy));
  QV_CHECK(parts_.host.drop({record.move.collection_id, record.move.shard, record.to_copy}));
  release(task);
  return false;
}

void Mover::release(Task& task) {
  const auto source = source_of(task);
  if (!source.ok()) return;
  auto call = source_call(task);
  call.context.deadline = std::chrono::steady_clock::now() + kBesideTime;
  // If this does not arrive the hold runs out.
  const auto released = (*source)->release_writes(call);
  if (!released.ok()) {
    QV_LOG_DEBUG("hold_not_released move={} error=\"{}\"", task.id, released.error().message);
  }
}

Status Mover::abandon(Task& task, MovePhase phase, const std::string& why) {
  QV_TRY(const bool taken_over, withdraw(task));
  task.record.phase = taken_over ? MovePhase::Done : phase;
  task.record.error = taken_over ? "" : why;
  task.record.updated_ms = parts_.clock.wall_ms();
  task.transfer = {};
  QV_LOG_WARN("move_ended id={} collection={} shard={} phase={} why=\"{}\"", task.id,
              task.record.move.collection, raw(task.record.move.shard), name(task.record.phase),
              why);
  return Done{};
}

void Mover::fail(Task& task, const Error& why) {
  if (!pause(std::chrono::milliseconds(0))) return put_back(task, true);
  QV_LOG_WARN("move_attempt_failed id={} collection={} shard={} phase={} error=\"{}\"", task.id,
              task.record.move.collection, raw(task.record.move.shard), name(task.record.phase),
              why.message);
  const bool again = why.code == ErrorCode::Unavailable || why.code == ErrorCode::DeadlineExceeded;
  task.record.error = why.message;
  ++task.record.attempts;
  task.record.updated_ms = parts_.clock.wall_ms();
  task.use = {};
  if (task.record.attempts >= options_.attempts || task.transfer.hopeless) {
    // Without the store this is tried again, too: the record still has the phase before.
    if (!abandon(task, MovePhase::Failed, why.message).ok()) return put_back(task, true);
  } else if (!again) {
    release(task);
    task.transfer = {};
  }
  const bool saved = save(task).ok();
  put_back(task, !saved || !task.record.finished());
}

Status Mover::save(Task& task) {
  const std::string key = keys::move(task.id);
  const std::string value = task.record.to_json().dump();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto result, parts_.store.txn(context(), {{key, task.revision}}, {{key, value}}));
    if (result == TxnOutcome::Done) {
      task.revision = result.revision;
      return Done{};
    }
    if (result == TxnOutcome::Unknown) continue;
    QV_TRY(const auto entry, parts_.store.get(context(), key));
    if (!entry) break;
    task.revision = entry->revision;
    if (entry->value == value) return Done{};
    QV_TRY(auto theirs, MoveRecord::parse(entry->value));
    // Only that it has ended comes from others; then its copy goes.
    if (!theirs.finished()) continue;
    QV_CHECK(withdraw(task));
    task.record = std::move(theirs);
    return Done{};
  }
  return Error{ErrorCode::Unavailable, "the record of the move cannot be written"};
}

}  // namespace quiver::cluster
