#pragma once

// A shard whose disk fails on command.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "tests/cluster/forwarding_shard.h"

namespace quiver::cluster::replication::test {

/// What a test tells the shard, and what it counts.
struct DiskOrders {
  std::atomic<bool> fails_to_append{false};
  std::atomic<bool> fails_to_apply{false};
  /// Calls of append_encoded() that wrote something, each of which is one sync.
  std::atomic<std::uint64_t> appends{0};
  std::atomic<std::uint64_t> entries{0};
  /// Points are written with another payload than was asked for.
  std::atomic<bool> alters{false};
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
    return orders_.alters ? append_altered(entries) : ForwardingShard::append_encoded(entries);
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
  Status append_altered(std::span<const storage::EncodedEntry* const> entries) {
    std::vector<storage::EncodedEntry> altered;
    for (const auto* const one : entries) {
      QV_TRY(auto entry, storage::decode_log_entry(one->seq, one->bytes));
      if (auto* const upsert = std::get_if<UpsertPoints>(&entry.mutation)) {
        for (auto& point : upsert->points) point.payload = Json{{"x", "another"}};
      }
      QV_TRY(auto bytes, storage::encode_log_entry(entry));
      altered.push_back({one->term, one->seq, one->request_id, std::move(bytes)});
    }
    std::vector<const storage::EncodedEntry*> asked;
    for (const auto& one : altered) asked.push_back(&one);
    return ForwardingShard::append_encoded(asked);
  }

  DiskOrders& orders_;
};

inline std::function<std::unique_ptr<storage::Shard>(std::unique_ptr<storage::Shard>)> obeying(
    DiskOrders& orders) {
  return [&orders](std::unique_ptr<storage::Shard> real) {
    return std::unique_ptr<storage::Shard>(new FailingShard(std::move(real), orders));
  };
}

}  // namespace quiver::cluster::replication::test
