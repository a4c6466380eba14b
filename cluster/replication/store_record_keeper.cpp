#include "cluster/replication/store_record_keeper.h"

#include <utility>

#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster::replication {
namespace {

SwapOutcome outcome_of(const Result<TxnResult>& result) {
  // An Error of txn() is one of which the store says that surely nothing was written.
  if (!result.ok()) return SwapOutcome::NotWritten;
  switch (result->outcome) {
    case TxnOutcome::Done: return SwapOutcome::Done;
    case TxnOutcome::Conflict: return SwapOutcome::Conflict;
    case TxnOutcome::Unknown: break;
  }
  return SwapOutcome::Unknown;
}

}  // namespace

/// What one link asked for, and whom to tell.
struct StoreRecordKeeper::Followed {
  Followed(std::string collection_id, ShardId number, TellRecord whom)
      : collection(std::move(collection_id)),
        shard(number),
        key(keys::shard(collection, shard)),
        tell(std::move(whom)) {}

  /// Calls `tell`, unless the link is gone; RecordSeen of what was told before only if `again`.
  void say(RecordEvent event, bool again) {
    const MutexLock lock(tell_mutex);
    if (ended) return;
    if (const auto* const seen = std::get_if<RecordSeen>(&event)) {
      if (seen->revision <= told && !again) return;
      told = std::max(told, seen->revision);
    }
    tell(std::move(event));
  }
  Revision told_last() {
    const MutexLock lock(tell_mutex);
    return told;
  }
  void end() {
    const MutexLock lock(tell_mutex);
    ended = true;
  }

  const std::string collection;
  const ShardId shard;
  const std::string key;
  const TellRecord tell;

  /// Held while `tell` runs: so it runs once at a time, and not behind end().
  Mutex tell_mutex;
  bool ended QV_GUARDED_BY(tell_mutex) = false;
  Revision told QV_GUARDED_BY(tell_mutex){0};

  // Guarded by StoreRecordKeeper::mutex_.
  std::optional<SwapRecord> wanted;
  bool wants_read = false;
  bool wants_look = false;
  /// It is in waiting_, or a thread works for it.
  bool queued = false;

  bool wants_something() const noexcept { return wanted || wants_read || wants_look; }
};

class StoreRecordKeeper::Link final : public RecordLink {
 public:
  Link(StoreRecordKeeper& keeper, std::shared_ptr<Followed> followed)
      : keeper_(keeper), followed_(std::move(followed)) {}
  ~Link() override {
    keeper_.forget(followed_);
    followed_->end();
  }

  void swap(const SwapRecord& wanted) override { keeper_.ask(followed_, Work::Swap, wanted); }
  void read() override { keeper_.ask(followed_, Work::Read); }

 private:
  StoreRecordKeeper& keeper_;
  const std::shared_ptr<Followed> followed_;
};

StoreRecordKeeper::StoreRecordKeeper(CoordinationStore& store, ViewSource& views,
                                     const Options& options)
    : store_(store), views_(views), options_(options) {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

StoreRecordKeeper::~StoreRecordKeeper() {
  close();
}

void StoreRecordKeeper::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    waiting_.clear();
  }
  cancel_.cancel();
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::unique_ptr<RecordLink> StoreRecordKeeper::follow(const std::string& collection_id,
                                                      ShardId shard, TellRecord tell) {
  auto followed = std::make_shared<Followed>(collection_id, shard, std::move(tell));
  {
    const MutexLock lock(mutex_);
    followed_.insert(followed);
  }
  ask(followed, Work::Look);
  return std::make_unique<Link>(*this, std::move(followed));
}

void StoreRecordKeeper::ask(const std::shared_ptr<Followed>& followed, Work work,
                            std::optional<SwapRecord> wanted) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  switch (work) {
    case Work::Look: followed->wants_look = true; break;
    case Work::Swap: followed->wanted = std::move(wanted); break;
    case Work::Read: followed->wants_read = true; break;
  }
  if (std::exchange(followed->queued, true)) return;
  waiting_.push_back(followed);
  wake_.notify_one();
}

void StoreRecordKeeper::forget(const std::shared_ptr<Followed>& followed) {
  const MutexLock lock(mutex_);
  followed_.erase(followed);
  followed->wanted.reset();
  followed->wants_read = false;
  followed->wants_look = false;
}

void StoreRecordKeeper::look() {
  std::vector<std::shared_ptr<Followed>> all;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    all.assign(followed_.begin(), followed_.end());
  }
  for (const auto& followed : all) look_for(*followed);
}

void StoreRecordKeeper::work() {
  std::shared_ptr<Followed> followed;
  while (true) {
    std::optional<SwapRecord> wanted;
    bool look = false;
    bool reads = false;
    {
      const MutexLock lock(mutex_);
      if (followed) {
        followed->queued = !closed_ && followed->wants_something();
        if (followed->queued) waiting_.push_back(std::move(followed));
        followed.reset();
      }
      while (waiting_.empty() && !closed_) wake_.wait(mutex_);
      if (closed_) return;
      followed = std::move(waiting_.front());
      waiting_.pop_front();
      wanted = std::exchange(followed->wanted, std::nullopt);
      look = std::exchange(followed->wants_look, false);
      reads = std::exchange(followed->wants_read, false);
    }
    carry_out(*followed, look, wanted, reads);
  }
}

void StoreRecordKeeper::carry_out(Followed& followed, bool look,
                                  const std::optional<SwapRecord>& wanted, bool reads) {
  if (look) look_for(followed);
  if (wanted) followed.say(swap(followed, *wanted), true);
  if (reads) read(followed);
}

void StoreRecordKeeper::look_for(Followed& followed) {
  auto seen = views_.shard_record(followed.collection, followed.shard, followed.told_last());
  if (seen) followed.say(RecordSeen{std::move(seen->state), seen->revision}, false);
}

SwapAnswered StoreRecordKeeper::swap(const Followed& followed, const SwapRecord& wanted) {
  const auto written = store_.txn(call(), {{followed.key, wanted.expected}},
                                  {{followed.key, wanted.desired->to_json().dump()}});
  SwapAnswered answer{wanted.id, outcome_of(written), Revision{0}};
  if (answer.outcome == SwapOutcome::Done) answer.revision = written->revision;
  return answer;
}

void StoreRecordKeeper::read(Followed& followed) {
  const auto entry = store_.get(call(), followed.key);
  if (!entry.ok() || !*entry) return;
  auto state = ShardState::from_json(Json::parse((*entry)->value, nullptr, false));
  if (!state.ok()) {
    QV_LOG_ERROR("shard_record_not_understood key={} error=\"{}\"", followed.key,
                 state.error().message);
    return;
  }
  followed.say(RecordSeen{std::move(*state), (*entry)->revision}, true);
}

CallContext StoreRecordKeeper::call() const {
  CallContext out;
  out.deadline = std::chrono::steady_clock::now() + options_.call_time;
  out.cancel = cancel_;
  return out;
}

}  // namespace quiver::cluster::replication
