#include "cluster/migration/move_source.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "cluster/migration/move_hold.h"
#include "core/log.h"
#include "storage/files.h"
#include "thrift/limits.h"

namespace quiver::cluster {
namespace {

// How often holds are looked at, and how often a call looks whether its caller has gone away.
constexpr std::chrono::milliseconds kLookEvery{20};

Error not_held(const thrift::ShardCall& call) {
  return {ErrorCode::FailedPrecondition,
          "the writes of shard " + std::to_string(raw(call.shard)) +
              " are not held back for this server: the hold ran out, or there was none"};
}

Error stopping() {
  return {ErrorCode::Unavailable, "the server is stopping; try again later"};
}

}  // namespace

Result<std::unique_ptr<MoveSource>> MoveSource::open(const Parts& parts, NodeId self,
                                                     std::filesystem::path directory,
                                                     const Options& options) {
  std::error_code problem;
  std::filesystem::remove_all(directory, problem);
  if (problem) return storage::file_error(problem.value(), "remove checkpoints left by a crash");
  QV_CHECK(storage::make_directories(directory, "the directory of checkpoints"));
  return std::unique_ptr<MoveSource>(
      new MoveSource(parts, std::move(self), std::move(directory), options));
}

MoveSource::MoveSource(const Parts& parts, NodeId self, std::filesystem::path directory,
                       const Options& options)
    : parts_(parts),
      self_(std::move(self)),
      directory_(std::move(directory)),
      options_(options),
      housekeeper_([this] { keep_house(); }) {}

MoveSource::~MoveSource() {
  close();
}

void MoveSource::close() {
  std::vector<HoldPtr> left;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  if (housekeeper_.joinable()) housekeeper_.join();
  {
    const MutexLock lock(mutex_);
    const auto is_seized = [](const auto& one) { return one.second->seized; };
    while (std::any_of(holds_.begin(), holds_.end(), is_seized)) changed_.wait(mutex_);
    for (const auto& [unused, hold] : holds_) {
      hold->seized = true;
      left.push_back(hold);
    }
  }
  for (const auto& hold : left) {
    // Whoever owns the shard now is not known: nobody may write here any more.
    if (hold->hand_over && hold->use) hold->use->retire();
    end(hold);
  }
}

thrift::ReplyInfo MoveSource::info() const {
  thrift::ReplyInfo out;
  out.epoch = parts_.views.current()->epoch;
  return out;
}

bool MoveSource::has_run_out(const Hold& hold) const {
  return parts_.clock.now() >= hold.runs_out;
}

void MoveSource::prolong(Hold& hold, std::chrono::milliseconds by) {
  hold.span = by;
  hold.runs_out = std::min(parts_.clock.now() + by, hold.runs_out_latest);
  if (!hold.is_read)
    hold.runs_out = std::min(hold.runs_out, hold.progress_at + options_.hold_idle_max);
}

void MoveSource::note_read(Hold& hold, const std::string& file, std::uint64_t end) {
  auto& known = hold.read[file];
  if (end <= known) return;
  const auto more = end - known;
  known = end;
  hold.bytes_left -= std::min(more, hold.bytes_left);
  hold.is_read = hold.bytes_left == 0;
  hold.progress_at = parts_.clock.now();
}

bool MoveSource::is_wanted(const Key& key, const CopyId& copy, const std::string& holder) const {
  const auto view = parts_.views.current();
  const auto found = view->collections_by_id.find(key.first);
  if (found == view->collections_by_id.end()) return false;
  if (raw(key.second) >= found->second->shards.size()) return false;
  const auto& state = found->second->shards[raw(key.second)];
  return state.primary == copy &&
         std::any_of(state.copies.begin(), state.copies.end(), [&](const auto& one) {
           return one.second.node.text == holder && one.second.state == CopyState::New;
         });
}

Result<MoveSource::HoldPtr> MoveSource::seize(const thrift::ShardCall& call) {
  HoldPtr hold;
  bool over = false;
  {
    const MutexLock lock(mutex_);
    while (true) {
      if (closed_) return stopping();
      const auto found = holds_.find({call.collection, call.shard});
      if (found == holds_.end()) return HoldPtr();
      hold = found->second;
      if (hold->holder != call.caller) {
        return Error{ErrorCode::FailedPrecondition,
                     "the shard's writes are held back for server " + hold->holder};
      }
      if (!call.copy.empty() && call.copy != hold->place.copy) {
        return Error{ErrorCode::WrongOwner, "another copy of the shard is the primary"};
      }
      if (!hold->seized) break;
      QV_CHECK(call.context.check());
      changed_.wait_until(mutex_, std::chrono::steady_clock::now() + kLookEvery);
    }
    hold->seized = true;
    over = has_run_out(*hold) && !hold->hand_over;
  }
  if (!over) return hold;
  end(hold);
  return HoldPtr();
}

void MoveSource::let_go(const HoldPtr& hold) {
  const MutexLock lock(mutex_);
  hold->seized = false;
  changed_.notify_all();
}

void MoveSource::end(const HoldPtr& hold) {
  if (hold->use) hold->use->release();
  hold->use = {};
  std::shared_ptr<CheckpointFiles> checkpoint;
  const MutexLock lock(mutex_);
  checkpoint.swap(hold->checkpoint);
  hold->ended = true;
  hold->seized = false;
  const auto found = holds_.find({hold->place.collection, hold->place.shard});
  if (found != holds_.end() && found->second == hold) holds_.erase(found);
  changed_.notify_all();
}

Result<MoveSource::HoldPtr> MoveSource::start_hold(const thrift::ShardCall& call,
                                                   thrift::ReplyInfo& info) {
  QV_TRY(auto use, parts_.shards.find(call, info));
  const Key key{call.collection, call.shard};
  auto hold = std::make_shared<Hold>();
  const auto view = parts_.views.current();
  const auto collection = view->collections_by_id.find(call.collection);
  if (collection == view->collections_by_id.end()) return not_held(call);
  if (has_several_copies(*collection->second)) {
    return Error{ErrorCode::FailedPrecondition,
                 "shard " + std::to_string(raw(call.shard)) +
                     " has several copies: they replicate, and no writes of it are held back"};
  }
  hold->place = {call.collection, call.shard, collection->second->shards[raw(call.shard)].primary};
  hold->holder = call.caller;
  if (!is_wanted(key, hold->place.copy, call.caller)) {
    return Error{ErrorCode::FailedPrecondition,
                 "the record of shard " + std::to_string(raw(call.shard)) +
                     " names no copy at server " + call.caller + " that is being filled"};
  }
  hold->seized = true;
  {
    const MutexLock lock(mutex_);
    if (closed_) return stopping();
    if (!holds_.emplace(key, hold).second) {
      return Error{ErrorCode::Unavailable,
                   "the shard's writes are being held back by another call"};
    }
  }
  const auto position = use->hold(call.context);
  if (!position.ok()) {
    end(hold);
    return position.error();
  }
  hold->use = std::move(use);
  hold->position = *position;
  const MutexLock lock(mutex_);
  hold->progress_at = parts_.clock.now();
  hold->runs_out_latest = hold->progress_at + options_.hold_total_max;
  return hold;
}

thrift::Reply<LogPosition> MoveSource::hold_writes(const thrift::ShardCall& call,
                                                   std::chrono::milliseconds hold) {
  if (hold.count() < 1 || hold > thrift::kHoldTimeMax) {
    return Error{ErrorCode::InvalidArgument, "hold_ms: 1 to " +
                                                 std::to_string(thrift::kHoldTimeMax.count()) +
                                                 ", got " + std::to_string(hold.count())};
  }
  auto beside = info();
  auto seized = seize(call);
  if (seized.ok() && !*seized) seized = start_hold(call, beside);
  if (!seized.ok()) return {Result<LogPosition>(seized.error()), beside};
  const auto& mine = *seized;
  const LogPosition position = mine->position;
  {
    const MutexLock lock(mutex_);
    prolong(*mine, hold);
  }
  let_go(mine);
  return {position, beside};
}

thrift::Answered MoveSource::release_writes(const thrift::ShardCall& call) {
  const auto seized = seize(call);
  if (!seized.ok()) return {Status(seized.error()), info()};
  if (*seized == nullptr) return {Status(Done{}), info()};
  if ((*seized)->hand_over) {
    let_go(*seized);
    return {Status(Error{ErrorCode::FailedPrecondition,
                         "how the hand-over of the shard ended is not known yet; ask again"}),
            info()};
  }
  end(*seized);
  return {Status(Done{}), info()};
}

Result<std::shared_ptr<CheckpointFiles>> MoveSource::make_checkpoint(const HoldPtr& hold) {
  const auto directory = directory_ / RequestId::random().hex();
  auto made = hold->use->checkpoint(directory);
  if (made.ok()) return CheckpointFiles::take(directory, *made);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return std::move(made).error();
}

thrift::Reply<thrift::Checkpoint> MoveSource::begin_checkpoint(const thrift::ShardCall& call) {
  using Answer = Result<thrift::Checkpoint>;
  const auto seized = seize(call);
  if (!seized.ok()) return {Answer(seized.error()), info()};
  const auto& hold = *seized;
  if (hold == nullptr) return {Answer(not_held(call)), info()};
  std::shared_ptr<CheckpointFiles> files;
  {
    const MutexLock lock(mutex_);
    files = hold->checkpoint;
  }
  if (!files) {
    auto made = make_checkpoint(hold);
    if (!made.ok()) {
      let_go(hold);
      return {Answer(made.error()), info()};
    }
    files = std::move(made).value();
  }
  {
    const MutexLock lock(mutex_);
    if (!hold->checkpoint) {
      hold->progress_at = parts_.clock.now();
      hold->read.clear();
      hold->bytes_left = files->bytes();
      hold->is_read = hold->bytes_left == 0;
    }
    hold->checkpoint = files;
    prolong(*hold, hold->span);
  }
  let_go(hold);
  return {files->describe(), info()};
}

thrift::Reply<std::string> MoveSource::read_chunk(const thrift::ShardCall& call,
                                                  const thrift::ChunkCall& chunk) {
  std::shared_ptr<CheckpointFiles> files;
  {
    const MutexLock lock(mutex_);
    const auto found = holds_.find({call.collection, call.shard});
    if (found != holds_.end() && found->second->holder == call.caller &&
        found->second->checkpoint && found->second->checkpoint->id() == chunk.checkpoint &&
        !has_run_out(*found->second)) {
      files = found->second->checkpoint;
    }
  }
  if (!files) return {Result<std::string>(not_held(call)), info()};
  auto bytes = files->read(chunk.file, chunk.offset, chunk.length);
  if (bytes.ok()) {
    const auto turn = options_.pace->take(call.context, call.caller + files->id(), bytes->size());
    if (!turn.ok()) return {Result<std::string>(turn.error()), info()};

    const MutexLock lock(mutex_);
    const auto found = holds_.find({call.collection, call.shard});
    if (found != holds_.end() && found->second->checkpoint == files) {
      note_read(*found->second, chunk.file, chunk.offset + bytes->size());
      prolong(*found->second, found->second->span);
    }
  }
  return {std::move(bytes), info()};
}

thrift::Answered MoveSource::end_checkpoint(const thrift::ShardCall& call,
                                            const std::string& checkpoint) {
  std::shared_ptr<CheckpointFiles> ended;
  {
    const MutexLock lock(mutex_);
    const auto found = holds_.find({call.collection, call.shard});
    if (found != holds_.end() && found->second->holder == call.caller &&
        found->second->checkpoint && found->second->checkpoint->id() == checkpoint) {
      ended.swap(found->second->checkpoint);
    }
  }
  return {Status(Done{}), info()};
}

void MoveSource::keep_house() {
  while (true) {
    std::vector<HoldPtr> over;
    std::vector<HoldPtr> open;
    {
      const MutexLock lock(mutex_);
      while (holds_.empty() && !closed_) changed_.wait(mutex_);
      if (closed_) return;
      changed_.wait_until(mutex_, std::chrono::steady_clock::now() + kLookEvery);
      const auto now = std::chrono::steady_clock::now();
      for (const auto& [key, hold] : holds_) {
        if (hold->seized) continue;
        if (hold->hand_over) {
          if (now < hold->settle_at) continue;
          open.push_back(hold);
        } else if (has_run_out(*hold) || !is_wanted(key, hold->place.copy, hold->holder)) {
          over.push_back(hold);
        } else {
          continue;
        }
        hold->seized = true;
      }
    }
    for (const auto& hold : over) {
      QV_LOG_WARN("hold_ended collection={} shard={} holder={}", hold->place.collection,
                  raw(hold->place.shard), hold->holder);
      end(hold);
    }
    for (const auto& hold : open) settle(hold);
  }
}

}  // namespace quiver::cluster
