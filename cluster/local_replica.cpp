#include "cluster/local_replica.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cluster/write_resolution.h"

namespace quiver::cluster {
namespace {

// One node, one reign: failover, which raises the term, needs more than one copy.
constexpr Term kOnlyTerm{1};
// Enough to make the sync cheap, small enough that a group's log entries stay a few megabytes.
constexpr std::size_t kGroupWritesMax = 256;
// How often a waiting writer looks whether its caller has gone away.
constexpr std::chrono::milliseconds kCancelPoll{20};

/// For writers of entries that are in the log and that the state did not take: they take effect
/// with the next open.
Error stored_only(const Error& cause) {
  return {cause.code,
          "the write was stored, and takes effect when the shard works again, but cannot be shown "
          "before: " +
              cause.message};
}

Error gone() {
  return {ErrorCode::WrongOwner, "this copy of the shard has been given up"};
}

}  // namespace

struct LocalReplica::Pending {
  RequestId request_id;
  WriteRequest& request;
  /// In the group that is being committed: all but `done` is the leader's.
  bool taken = false;
  std::optional<Result<MutationResult>> result = std::nullopt;
  /// The result is there, and nobody else looks at this any more.
  bool done = false;
};

Result<std::unique_ptr<LocalReplica>> LocalReplica::open(std::unique_ptr<storage::Shard> shard) {
  const auto applied = shard->apply_through(shard->tail().seq);
  if (!applied.ok()) return applied.error();
  return std::unique_ptr<LocalReplica>(new LocalReplica(std::move(shard)));
}

Result<MutationResult> LocalReplica::write(const CallContext& call, WriteRequest&& request) {
  Pending mine{call.request_id, request};
  std::unique_lock lock(mutex_);
  queue_.push_back(&mine);
  while (!mine.done) {
    if (!mine.taken) {
      auto status = retired_ ? Status(gone()) : call.check();
      if (!status.ok()) {
        queue_.erase(std::find(queue_.begin(), queue_.end(), &mine));
        return std::move(status).error();
      }
      if (!leading_ && !held_) {
        lead(lock);
        continue;
      }
    }
    changed_.wait_for(lock, kCancelPoll);
  }
  return std::move(*mine.result);
}

Result<LogPosition> LocalReplica::hold(const CallContext& call) {
  std::unique_lock lock(mutex_);
  if (retired_) return gone();
  if (held_) {
    return Error{ErrorCode::FailedPrecondition, "the shard's writes are held back already"};
  }
  held_ = true;
  const auto mine = ++holds_;
  while (leading_ && held_ && holds_ == mine && !retired_) {
    if (auto status = call.check(); !status.ok()) {
      held_ = false;
      changed_.notify_all();
      return std::move(status).error();
    }
    changed_.wait_for(lock, kCancelPoll);
  }
  if (!held_ || holds_ != mine) {
    return Error{ErrorCode::FailedPrecondition,
                 "the shard's writes were let go before they were held back"};
  }
  if (retired_) {
    held_ = false;
    return gone();
  }
  return shard_->tail();
}

void LocalReplica::release() {
  {
    const std::lock_guard lock(mutex_);
    held_ = false;
  }
  changed_.notify_all();
}

void LocalReplica::retire() {
  {
    const std::lock_guard lock(mutex_);
    retired_ = true;
  }
  changed_.notify_all();
}

Result<LogPosition> LocalReplica::checkpoint(const std::filesystem::path& directory) {
  const std::lock_guard lock(mutex_);
  if (!held_ || leading_) {
    return Error{ErrorCode::FailedPrecondition, "a checkpoint needs the writes held back"};
  }
  return shard_->checkpoint(directory);
}

void LocalReplica::lead(std::unique_lock<std::mutex>& lock) {
  std::vector<Pending*> group;
  group.reserve(std::min(queue_.size(), kGroupWritesMax));
  leading_ = true;
  while (!queue_.empty() && group.size() < kGroupWritesMax) {
    queue_.front()->taken = true;
    group.push_back(queue_.front());
    queue_.pop_front();
  }
  lock.unlock();
  try {
    commit(group);
  } catch (const std::exception& problem) {
    // Out of memory, at worst. The others wait for an answer that only this thread can give.
    for (auto* pending : group) {
      if (pending->result) continue;
      pending->result =
          Error{ErrorCode::Internal,
                std::string("the write failed half-way, repeat it: ") + problem.what()};
    }
  }
  lock.lock();
  for (auto* pending : group) pending->done = true;
  leading_ = false;
  changed_.notify_all();
}

void LocalReplica::commit(const std::vector<Pending*>& group) {
  std::vector<Pending*> run;
  const auto flush = [&] {
    if (!run.empty()) commit_run(run);
    run.clear();
  };
  for (auto* pending : group) {
    if (must_follow(*pending, run)) flush();
    if (const auto seen = shard_->find_request(pending->request_id)) {
      pending->result = *seen;
    } else {
      resolve(*pending);
    }
    if (!pending->result) run.push_back(pending);
  }
  flush();
}

bool LocalReplica::must_follow(const Pending& pending, std::span<Pending* const> run) {
  const bool repeated =
      !pending.request_id.empty() && std::any_of(run.begin(), run.end(), [&](const auto* other) {
        return other->request_id == pending.request_id;
      });
  if (repeated || std::holds_alternative<EraseMatching>(pending.request) ||
      update_of(pending.request) != nullptr) {
    return true;
  }
  const auto* conditional = std::get_if<UpsertIf>(&pending.request);
  if (conditional == nullptr) return false;
  std::set<PointId> asked;
  for (const auto& expectation : conditional->expected) asked.insert(expectation.id);
  return std::any_of(run.begin(), run.end(), [&](const auto* other) {
    const auto ids = ids_of(std::get<Mutation>(other->request));
    return std::any_of(ids.begin(), ids.end(), [&](const auto& id) { return asked.contains(id); });
  });
}

void LocalReplica::resolve(Pending& pending) {
  if (const auto* update = update_of(pending.request)) {
    if (auto fits = check_update(*shard_, *update); !fits.ok()) {
      pending.result = std::move(fits).error();
    }
  } else if (const auto* matching = std::get_if<EraseMatching>(&pending.request)) {
    auto parts = erasures(*shard_, matching->filter);
    if (!parts.ok()) {
      pending.result = std::move(parts).error();
      return;
    }
    if (parts->size() > 1) return commit_parts(pending, std::move(parts).value());
    pending.request = Mutation{std::move(parts->front())};
  } else if (auto* conditional = std::get_if<UpsertIf>(&pending.request)) {
    const auto as_expected = holds(*shard_, conditional->expected);
    if (!as_expected.ok()) {
      pending.result = as_expected.error();
    } else if (!*as_expected) {
      pending.result = MutationResult{};
    } else {
      auto points = std::move(conditional->points);
      pending.request = Mutation{UpsertPoints{std::move(points)}};
    }
  }
}

void LocalReplica::commit_parts(Pending& pending, std::vector<ErasePoints> parts) {
  std::vector<LogEntry> entries;
  entries.reserve(parts.size());
  Seq seq = shard_->tail().seq;
  for (auto& part : parts) {
    seq = next(seq);
    entries.push_back({kOnlyTerm, seq, RequestId{}, Mutation{std::move(part)}});
  }
  // The last result counts the points of all. One append: all of the parts are logged, or none.
  entries.back().request_id = pending.request_id;
  if (const auto appended = shard_->append(entries); !appended.ok()) {
    pending.result = appended.error();
  } else if (const auto results = shard_->apply_through(seq); !results.ok()) {
    pending.result = stored_only(results.error());
  } else {
    pending.result = results->back();
  }
}

void LocalReplica::commit_run(const std::vector<Pending*>& run) {
  std::vector<LogEntry> entries;
  entries.reserve(run.size());
  for (auto* pending : run) {
    entries.push_back(
        {kOnlyTerm, Seq{0}, pending->request_id, std::move(std::get<Mutation>(pending->request))});
  }
  commit_entries(run, entries);
}

void LocalReplica::commit_entries(std::span<Pending* const> run, std::span<LogEntry> entries) {
  const auto fail_all = [&](const Error& error) {
    for (auto* pending : run) pending->result = error;
  };
  Seq seq = shard_->tail().seq;
  for (auto& entry : entries) {
    seq = next(seq);
    entry.seq = seq;
  }
  const auto appended = shard_->append(entries);
  if (!appended.ok() && appended.error().code == ErrorCode::InvalidArgument && run.size() > 1) {
    // Nothing was appended because of what one writer wants: the others must not fail with it.
    const std::size_t half = run.size() / 2;
    commit_entries(run.first(half), entries.first(half));
    commit_entries(run.subspan(half), entries.subspan(half));
    return;
  }
  if (!appended.ok()) return fail_all(appended.error());
  auto results = shard_->apply_through(seq);
  if (!results.ok()) return fail_all(stored_only(results.error()));
  if (results->size() != run.size()) {
    return fail_all({ErrorCode::Internal, "the shard applied other entries than were written"});
  }
  for (std::size_t i = 0; i < run.size(); ++i) run[i]->result = (*results)[i];
}

}  // namespace quiver::cluster
