// Callers who read, and checkpoints.

#include <utility>

#include "cluster/replication/patience.h"
#include "cluster/replication/replicated_copy.h"

namespace quiver::cluster::replication {
namespace {

Error refusal(ReadOutcome outcome) {
  switch (outcome) {
    case ReadOutcome::NotPrimary:
      return {ErrorCode::WrongOwner, "this copy does not order the writes of the shard"};
    case ReadOutcome::NotLeased:
      return {ErrorCode::Unavailable,
              "this copy cannot tell whether it is still the primary: repeat the read"};
    case ReadOutcome::NotCaughtUp:
      return {ErrorCode::Unavailable,
              "this copy has not come as far as the read asks for: ask the primary"};
    case ReadOutcome::Failed:
    case ReadOutcome::Granted: break;
  }
  return {ErrorCode::Unavailable,
          "this copy of the shard answers no reads: its disk failed, or it was given up"};
}

/// What the disk's thread made, or that it is gone.
struct Made {
  Mutex mutex;
  CondVar changed;
  std::optional<Result<History>> result QV_GUARDED_BY(mutex);

  void set(Result<History> outcome) {
    const MutexLock lock(mutex);
    if (!result) result = std::move(outcome);
    changed.notify_all();
  }
};

/// Goes with the work it belongs to, carried out or dropped.
struct Promise {
  explicit Promise(std::shared_ptr<Made> what) : made(std::move(what)) {}
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() { made->set(refusal(ReadOutcome::Failed)); }

  const std::shared_ptr<Made> made;
};

}  // namespace

void ReplicatedCopy::act(const AnswerRead& action) {
  const auto found = readings_.find(action.tag);
  // Its caller has gone away.
  if (found == readings_.end()) return;
  found->second->answer = action;
  found->second->changed.notify_one();
  readings_.erase(found);
}

Result<std::shared_ptr<const storage::Shard>> ReplicatedCopy::read(const CallContext& call,
                                                                   ReadLevel level, Seq token) {
  Reading mine;
  {
    const MutexLock lock(mutex_);
    if (closed_) return refusal(ReadOutcome::Failed);
    mine.tag = Tag{++tags_};
    readings_.emplace(mine.tag, &mine);
    step(ReadAsked{mine.tag, level, token});
    auto status = call.check();
    while (!mine.answer && status.ok()) {
      mine.changed.wait_until(mutex_, poll_until(call));
      status = call.check();
    }
    if (!mine.answer) {
      readings_.erase(mine.tag);
      return std::move(status).error();
    }
    if (mine.answer->outcome != ReadOutcome::Granted) return refusal(mine.answer->outcome);
    while (applied_ < mine.answer->at_least && !closed_ && fsm_.role() != Role::Failed) {
      QV_CHECK(call.check());
      applied_changed_.wait_until(mutex_, poll_until(call));
    }
    if (applied_ < mine.answer->at_least) return refusal(ReadOutcome::Failed);
  }
  std::shared_ptr<const storage::Shard> shard = disk_->shard();
  if (shard == nullptr) return refusal(ReadOutcome::NotCaughtUp);
  return shard;
}

Result<History> ReplicatedCopy::checkpoint(const std::filesystem::path& directory) {
  const auto made = std::make_shared<Made>();
  {
    const auto promise = std::make_shared<Promise>(made);
    disk_->run([promise, directory](storage::Shard& shard, const History& history) {
      if (auto done = shard.checkpoint(directory); !done.ok()) {
        return promise->made->set(std::move(done).error());
      }
      // It holds what is applied; of the entries behind that nobody knows whether they stay.
      History applied = history;
      applied.truncate_after(shard.applied());
      promise->made->set(std::move(applied));
    });
  }
  const MutexLock lock(made->mutex);
  while (!made->result) made->changed.wait(made->mutex);
  return std::move(*made->result);
}

}  // namespace quiver::cluster::replication
