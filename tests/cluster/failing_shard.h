#pragma once

// A shard whose disk fails on command.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "storage/shard.h"

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

class FailingShard final : public storage::Shard {
 public:
  FailingShard(std::unique_ptr<storage::Shard> real, DiskOrders& orders)
      : real_(std::move(real)), orders_(orders) {}

  Status append(std::span<const LogEntry> entries) override { return real_->append(entries); }
  Status append_encoded(std::span<const storage::EncodedEntry* const> entries) override {
    if (entries.empty()) return Done{};
    if (orders_.fails_to_append) return Error{ErrorCode::Unavailable, "the disk is gone"};
    if (orders_.delay_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(orders_.delay_ms));
    }
    ++orders_.appends;
    orders_.entries += entries.size();
    return real_->append_encoded(entries);
  }
  Status check_append(const Mutation& mutation) const override {
    return real_->check_append(mutation);
  }
  Status truncate_after(Seq last) override { return real_->truncate_after(last); }
  LogPosition tail() const override { return real_->tail(); }
  Seq applied() const override { return real_->applied(); }
  Result<std::vector<MutationResult>> apply_through(Seq committed) override {
    if (orders_.fails_to_apply) return Error{ErrorCode::Unavailable, "the disk is gone"};
    return real_->apply_through(committed);
  }
  Result<std::vector<LogEntry>> read_log(Seq from, std::size_t max_bytes) const override {
    return real_->read_log(from, max_bytes);
  }
  Result<std::vector<storage::EncodedEntry>> read_encoded(Seq from,
                                                          std::size_t max_bytes) const override {
    return real_->read_encoded(from, max_bytes);
  }
  Seq log_first() const override { return real_->log_first(); }
  void keep_log_from(Seq seq) override { real_->keep_log_from(seq); }
  Status store_replica(const storage::ReplicaState& state) override {
    if (orders_.fails_to_append) return Error{ErrorCode::Unavailable, "the disk is gone"};
    return real_->store_replica(state);
  }
  Result<storage::ReplicaState> replica() const override { return real_->replica(); }
  bool heals_when_opened() const override { return real_->heals_when_opened(); }
  std::optional<MutationResult> find_request(const RequestId& id) const override {
    return real_->find_request(id);
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) const override {
    return real_->search(call, query);
  }
  Result<std::vector<Point>> get(std::span<const PointId> ids,
                                 Projection projection) const override {
    return real_->get(ids, projection);
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) const override {
    return real_->scroll(call, query);
  }
  Result<std::vector<PointId>> ids_matching(const CallContext& call, const Filter& filter,
                                            std::size_t limit) const override {
    return real_->ids_matching(call, filter, limit);
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) const override {
    return real_->count(call, filter);
  }
  Result<std::vector<storage::FieldSummary>> fields(std::size_t limit) const override {
    return real_->fields(limit);
  }
  std::vector<PointId> expired(std::int64_t now_ms, std::size_t limit) const override {
    return real_->expired(now_ms, limit);
  }
  storage::ShardStats stats() const override { return real_->stats(); }
  Status flush_index(const CallContext& call) override { return real_->flush_index(call); }
  Result<LogPosition> checkpoint(const std::filesystem::path& directory) override {
    return real_->checkpoint(directory);
  }

 private:
  const std::unique_ptr<storage::Shard> real_;
  DiskOrders& orders_;
};

inline std::function<std::unique_ptr<storage::Shard>(std::unique_ptr<storage::Shard>)> obeying(
    DiskOrders& orders) {
  return [&orders](std::unique_ptr<storage::Shard> real) {
    return std::unique_ptr<storage::Shard>(new FailingShard(std::move(real), orders));
  };
}

}  // namespace quiver::cluster::replication::test
