#pragma once

#include <optional>
#include <string>
#include <vector>

#include "thrift/node_handler.h"

namespace quiver::cluster::testing {

/// Answers nothing: of the calls between servers a test brings those that it is about.
class SilentNode : public thrift::NodeHandler {
 public:
  template <typename T>
  using Reply = thrift::Reply<T>;
  using Answered = thrift::Answered;
  using ShardCall = thrift::ShardCall;
  using NodeCall = thrift::NodeCall;

  Reply<std::vector<ScoredPoint>> search(const ShardCall&, const thrift::SearchCall&) override {
    return silence();
  }
  Reply<std::vector<Point>> get(const ShardCall&, const thrift::GetCall&) override {
    return silence();
  }
  Reply<std::vector<Point>> scroll(const ShardCall&, const thrift::ScrollCall&) override {
    return silence();
  }
  Reply<std::uint64_t> count(const ShardCall&, const std::optional<Filter>&) override {
    return silence();
  }
  Reply<std::vector<thrift::FieldCount>> fields(const ShardCall&, std::size_t) override {
    return silence();
  }
  Reply<thrift::ShardCounts> stats(const ShardCall&) override { return silence(); }
  Reply<MutationResult> write(const ShardCall&, const WriteRequest&) override { return silence(); }
  Answered create_shard(const ShardCall&, const CollectionSpec&) override { return silence(); }
  Answered drop_shard(const ShardCall&) override { return silence(); }
  Reply<thrift::Checkpoint> begin_checkpoint(const ShardCall&) override { return silence(); }
  Reply<std::string> read_chunk(const ShardCall&, const thrift::ChunkCall&) override {
    return silence();
  }
  Answered end_checkpoint(const ShardCall&, const std::string&) override { return silence(); }
  Reply<LogPosition> hold_writes(const ShardCall&, std::chrono::milliseconds) override {
    return silence();
  }
  Answered release_writes(const ShardCall&) override { return silence(); }
  Answered hand_over(const ShardCall&, const thrift::HandOverCall&) override { return silence(); }
  Reply<thrift::Welcome> join(const NodeCall&, const thrift::JoinCall&) override {
    return silence();
  }
  Reply<thrift::HeartbeatEcho> ping(const NodeCall&, const thrift::Heartbeat&) override {
    return silence();
  }
  Reply<thrift::NodeStatus> status(const NodeCall&) override { return silence(); }

 protected:
  static Error silence() { return {ErrorCode::Unavailable, "no answer"}; }
};

}  // namespace quiver::cluster::testing
