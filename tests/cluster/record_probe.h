#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/replication/record_keepers.h"
#include "cluster/view/keys.h"
#include "cluster/view/view_source.h"

/// What a copy would see of its shard's record.
namespace quiver::cluster::testing {

inline const std::string kDocs(32, 'd');
inline const CopyId kCopyA{std::string(32, 'a')};
inline const CopyId kCopyB{std::string(32, 'b')};

/// Two copies, the first the primary.
inline ShardState two_copies() {
  ShardState state;
  state.primary = kCopyA;
  state.in_sync = {kCopyA, kCopyB};
  state.copies[kCopyA] = {{std::string(32, '1')}, CopyState::Active};
  state.copies[kCopyB] = {{std::string(32, '2')}, CopyState::Active};
  return state;
}

/// The same in a later term.
inline ShardState in_term(std::uint64_t term) {
  auto state = two_copies();
  state.term = Term{term};
  state.epoch = term;
  return state;
}

/// Takes down what a keeper tells.
class RecordProbe {
 public:
  replication::RecordKeeper::Seen news() {
    return [this](replication::RecordSeen seen) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(std::move(seen));
      told_.notify_all();
    };
  }

  void swap(replication::RecordKeeper& keeper, std::uint64_t id, Revision expected,
            ShardState desired) {
    keeper.swap(replication::SwapId{id}, expected,
                std::make_shared<const ShardState>(std::move(desired)),
                [this](replication::SwapAnswered answer) {
                  const std::lock_guard lock(mutex_);
                  answers_.push_back(answer);
                  told_.notify_all();
                });
  }
  void read(replication::RecordKeeper& keeper) { keeper.read(news()); }

  /// The answer to this swap; fails the test if there is none in time.
  replication::SwapAnswered answer(std::uint64_t id) {
    std::optional<replication::SwapAnswered> found;
    await([&] {
      for (const auto& one : answers_) {
        if (one.id == replication::SwapId{id}) found = one;
      }
      return found.has_value();
    });
    return *found;
  }
  replication::RecordSeen seen(Term term) {
    std::optional<replication::RecordSeen> found;
    await([&] {
      for (const auto& one : seen_) {
        if (one.record.term == term) found = one;
      }
      return found.has_value();
    });
    return *found;
  }
  void await_seen(std::size_t count) {
    await([&] { return seen_.size() >= count; });
  }
  std::vector<replication::RecordSeen> all_seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t answers() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  void await(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    REQUIRE(told_.wait_for(lock, std::chrono::seconds(20), holds));
  }

  std::mutex mutex_;
  std::condition_variable told_;
  std::vector<replication::RecordSeen> seen_;
  std::vector<replication::SwapAnswered> answers_;
};

/// Writes the first record of shard 0; its revision.
inline Revision found_record(CoordinationStore& store) {
  const auto key = keys::shard(kDocs, ShardId{0});
  const auto written = store.txn({}, {{key, Revision{0}}}, {{key, two_copies().to_json().dump()}});
  REQUIRE(written.ok());
  REQUIRE(written->outcome == TxnOutcome::Done);
  return written->revision;
}

/// What every store must give a keeper: a swap that is done, one that comes too late, a read, and
/// news of what others wrote.
void record_keeper_suite(CoordinationStore& store);

}  // namespace quiver::cluster::testing
