#include "cluster/replication/record_keepers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster::replication {
namespace {

SwapOutcome outcome_of(const Result<TxnResult>& result) {
  // An Error of txn() means that surely nothing was written.
  if (!result.ok()) return SwapOutcome::NotWritten;
  switch (result->outcome) {
    case TxnOutcome::Done: return SwapOutcome::Done;
    case TxnOutcome::Conflict: return SwapOutcome::Conflict;
    case TxnOutcome::Unknown: break;
  }
  return SwapOutcome::Unknown;
}

struct WantedSwap {
  SwapId id{0};
  Revision expected{0};
  std::shared_ptr<const ShardState> desired;
  RecordKeeper::Answered answer;
};

/// What a copy wants of the store.
struct Wishes {
  bool look = false;
  std::optional<WantedSwap> swap;
  RecordKeeper::Seen read;

  bool any() const noexcept { return look || swap || read; }
};

SwapAnswered carry_out(CoordinationStore& store, const CallContext& call, const std::string& key,
                       const WantedSwap& wanted) {
  const auto written =
      store.txn(call, {{key, wanted.expected}}, {{key, wanted.desired->to_json().dump()}});
  SwapAnswered answer{wanted.id, outcome_of(written), Revision{0}};
  if (answer.outcome == SwapOutcome::Done) answer.revision = written->revision;
  return answer;
}

std::optional<RecordSeen> read_record(CoordinationStore& store, const CallContext& call,
                                      const std::string& key) {
  const auto entry = store.get(call, key);
  if (!entry.ok() || !*entry) return std::nullopt;
  auto state = ShardState::from_json(Json::parse((*entry)->value, nullptr, false));
  if (state.ok()) return RecordSeen{std::move(*state), (*entry)->revision};
  QV_LOG_ERROR("shard_record_not_understood key={} error=\"{}\"", key, state.error().message);
  return std::nullopt;
}

}  // namespace

/// One copy, as its keeper and the pool share it.
struct RecordKeepers::Followed {
  Followed(std::string collection_id, ShardId number, RecordKeeper::Seen whom)
      : collection(std::move(collection_id)),
        shard(number),
        key(keys::shard(collection, shard)),
        news(std::move(whom)) {}

  /// Calls into the copy, unless its keeper is gone.
  template <typename Call>
  void tell(Call call) {
    const MutexLock lock(tell_mutex);
    if (!ended) call();
  }
  void tell_news(RecordSeen seen) {
    const MutexLock lock(tell_mutex);
    if (ended || seen.revision <= told) return;
    told = seen.revision;
    news(std::move(seen));
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
  const RecordKeeper::Seen news;

  /// Held by calls into the copy: they come one at a time, and none behind end().
  Mutex tell_mutex;
  bool ended QV_GUARDED_BY(tell_mutex) = false;
  Revision told QV_GUARDED_BY(tell_mutex){0};

  // Guarded by RecordKeepers::mutex_.
  Wishes wishes;
  /// It is in waiting_, or a thread works for it.
  bool queued = false;
};

class RecordKeepers::Keeper final : public RecordKeeper {
 public:
  Keeper(RecordKeepers& keepers, std::shared_ptr<Followed> followed)
      : keepers_(keepers), followed_(std::move(followed)) {}
  ~Keeper() override {
    keepers_.forget(followed_);
    followed_->end();
  }

  void swap(SwapId id, Revision expected, std::shared_ptr<const ShardState> desired,
            Answered answer) override {
    WantedSwap wanted{id, expected, std::move(desired), std::move(answer)};
    const MutexLock lock(keepers_.mutex_);
    std::swap(followed_->wishes.swap.emplace(), wanted);
    keepers_.queue(followed_);
  }
  void read(Seen seen) override {
    const MutexLock lock(keepers_.mutex_);
    followed_->wishes.read = std::move(seen);
    keepers_.queue(followed_);
  }

 private:
  RecordKeepers& keepers_;
  const std::shared_ptr<Followed> followed_;
};

RecordKeepers::RecordKeepers(CoordinationStore& store, ViewSource& views, const Options& options)
    : store_(store), views_(views), options_(options) {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { work(); });
  }
  threads_.emplace_back([this] { tell_all(); });
}

RecordKeepers::~RecordKeepers() {
  close();
}

void RecordKeepers::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    waiting_.clear();
  }
  cancel_.cancel();
  wake_.notify_all();
  look_changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::unique_ptr<RecordKeeper> RecordKeepers::follow(const std::string& collection_id, ShardId shard,
                                                    RecordKeeper::Seen news) {
  auto followed = std::make_shared<Followed>(collection_id, shard, std::move(news));
  {
    const MutexLock lock(mutex_);
    followed_.insert(followed);
    // By the pool: who calls this may hold what `news` needs.
    followed->wishes.look = true;
    queue(followed);
  }
  return std::make_unique<Keeper>(*this, std::move(followed));
}

void RecordKeepers::queue(const std::shared_ptr<Followed>& followed) {
  if (closed_ || std::exchange(followed->queued, true)) return;
  waiting_.push_back(followed);
  wake_.notify_one();
}

void RecordKeepers::forget(const std::shared_ptr<Followed>& followed) {
  Wishes gone;
  const MutexLock lock(mutex_);
  followed_.erase(followed);
  std::swap(gone, followed->wishes);
}

void RecordKeepers::look() {
  const MutexLock lock(mutex_);
  look_ = true;
  look_changed_.notify_one();
}

void RecordKeepers::tell_all() {
  while (true) {
    std::vector<std::shared_ptr<Followed>> all;
    {
      const MutexLock lock(mutex_);
      while (!look_ && !closed_) look_changed_.wait(mutex_);
      if (closed_) return;
      look_ = false;
      all.assign(followed_.begin(), followed_.end());
    }
    for (const auto& followed : all) look_for(*followed);
  }
}

void RecordKeepers::look_for(Followed& followed) {
  auto seen = views_.shard_record(followed.collection, followed.shard, followed.told_last());
  if (seen) followed.tell_news(RecordSeen{std::move(seen->state), seen->revision});
}

void RecordKeepers::work() {
  std::shared_ptr<Followed> followed;
  while (true) {
    Wishes wishes;
    {
      const MutexLock lock(mutex_);
      if (followed) {
        followed->queued = false;
        if (followed->wishes.any()) queue(followed);
      }
      while (waiting_.empty() && !closed_) wake_.wait(mutex_);
      if (closed_) return;
      followed = std::move(waiting_.front());
      waiting_.pop_front();
      std::swap(wishes, followed->wishes);
    }
    if (wishes.look) look_for(*followed);
    if (wishes.swap) {
      const auto answer = carry_out(store_, call(), followed->key, *wishes.swap);
      followed->tell([&] { wishes.swap->answer(answer); });
    }
    if (!wishes.read) continue;
    if (auto seen = read_record(store_, call(), followed->key)) {
      followed->tell([&] { wishes.read(std::move(*seen)); });
    }
  }
}

CallContext RecordKeepers::call() const {
  CallContext out;
  out.deadline = std::chrono::steady_clock::now() + options_.call_time;
  out.cancel = cancel_;
  return out;
}

}  // namespace quiver::cluster::replication
