#pragma once

// A shard whose disk fails on command.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "tests/cluster/forwarding_shard.h"

namespace quiver::cluster::replication::test {

/// What a test tells the shard, and what it counts.
struct DiskOrders {
  std::atomic<bool> fails_to_append{false};
  std::atomic<bool> fails_to_apply{false};
  /// Calls of append_encoded() that wrote something, each of which is one sync.
  std::atomic<std::uint64_t> appends{0};
  std::atomic<std::uint64_t> entries{0};
  /// Milliseconds that an append takes longer.
  std::atomic<std::uint64_t> delay_ms{0};
};

class FailingShard final : public cluster::test::ForwardingShard {
 public:
  FailingShard(std::unique_ptr<storage::Shard> real, DiskOrders& orders)
      : ForwardingShard(std::move(real)), orders_(orders) {}

  Status append_encoded(std::span<const storage::EncodedEntry* const> entries) override {
    if (entries.empty()) return Done{};
    if (orders_.fails_to_append) return Error{ErrorCode::Unavailable, "the disk is gone"};
    if (orders_.delay_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(orders_.delay_ms));
    }
    ++orders_.appends;
    orders_.entries += entries.size();
    return ForwardingShard::append_encoded(entries);
  }
  Result<std::vector<MutationResult>> apply_through(Seq committed) override {
    if (orders_.fails_to_apply) return Error{ErrorCode::Unavailable, "the disk is gone"};
    return ForwardingShard::apply_through(committed);
  }
  Status store_replica(const storage::ReplicaState& state) override {
    if (orders_.fails_to_append) return Error{ErrorCode::Unavailable, "the disk is gone"};
    return ForwardingShard::store_replica(state);
  }

 private:
  DiskOrders& orders_;
};

inline std::function<std::unique_ptr<storage::Shard>(std::unique_ptr<storage::Shard>)> obeying(
    DiskOrders& orders) {
  return [&orders](std::unique_ptr<storage::Shard> real) {
    return std::unique_ptr<storage::Shard>(new FailingShard(std::move(real), orders));
  };
}

}  // namespace quiver::cluster::replication::test
