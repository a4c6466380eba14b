#pragma once

#include <memory>
#include <utility>

#include "storage/shard.h"

namespace quiver::cluster::test {

/// A shard that asks another one; tests override what is to go wrong.
class ForwardingShard : public storage::Shard {
 public:
  explicit ForwardingShard(std::unique_ptr<storage::Shard> inner) : inner_(std::move(inner)) {}

  Status append(std::span<const LogEntry> entries) override { return inner_->append(entries); }
  Status append_encoded(std::span<const storage::EncodedEntry* const> entries) override {
    return inner_->append_encoded(entries);
  }
  Status check_append(const Mutation& mutation) const override {
    return inner_->check_append(mutation);
  }
  Status truncate_after(Seq last) override { return inner_->truncate_after(last); }
  LogPosition tail() const override { return inner_->tail(); }
  Seq applied() const override { return inner_->applied(); }
  Result<std::vector<MutationResult>> apply_through(Seq committed) override {
    return inner_->apply_through(committed);
  }
  Result<std::vector<LogEntry>> read_log(Seq from, std::size_t max_bytes) const override {
    return inner_->read_log(from, max_bytes);
  }
  Result<std::vector<storage::EncodedEntry>> read_encoded(Seq from,
                                                          std::size_t max_bytes) const override {
    return inner_->read_encoded(from, max_bytes);
  }
  Seq log_first() const override { return inner_->log_first(); }
  void keep_log_from(Seq seq) override { inner_->keep_log_from(seq); }
  Status store_replica(const storage::ReplicaState& state) override {
    return inner_->store_replica(state);
  }
  Result<storage::ReplicaState> replica() const override { return inner_->replica(); }
  bool heals_when_opened() const override { return inner_->heals_when_opened(); }
  std::optional<MutationResult> find_request(const RequestId& id) const override {
    return inner_->find_request(id);
  }
  Result<ContentSums> content_sums(
      const CallContext& call,
      const std::function<Status(std::size_t bytes)>& read) const override {
    return inner_->content_sums(call, read);
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) const override {
    return inner_->search(call, query);
  }
  Result<std::vector<Point>> get(std::span<const PointId> ids,
                                 Projection projection) const override {
    return inner_->get(ids, projection);
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) const override {
    return inner_->scroll(call, query);
  }
  Result<std::vector<PointId>> ids_matching(const CallContext& call, const Filter& filter,
                                            std::size_t limit) const override {
    return inner_->ids_matching(call, filter, limit);
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) const override {
    return inner_->count(call, filter);
  }
  Result<std::vector<storage::FieldSummary>> fields(std::size_t limit) const override {
    return inner_->fields(limit);
  }
  std::vector<PointId> expired(std::int64_t now_ms, std::size_t limit) const override {
    return inner_->expired(now_ms, limit);
  }
  storage::ShardStats stats() const override { return inner_->stats(); }
  Status flush_index(const CallContext& call) override { return inner_->flush_index(call); }
  Result<LogPosition> checkpoint(const std::filesystem::path& directory) override {
    return inner_->checkpoint(directory);
  }

 private:
  const std::unique_ptr<storage::Shard> inner_;
};

}  // namespace quiver::cluster::test
