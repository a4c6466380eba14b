#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "thrift/node_handler.h"

namespace quiver::testing {

/// A node that keeps one shard in a map, and remembers what it was asked.
class MemoryHandler final : public thrift::NodeHandler {
 public:
  template <typename T>
  using Reply = thrift::Reply<T>;
  using Answered = thrift::Answered;
  using ShardCall = thrift::ShardCall;
  using NodeCall = thrift::NodeCall;

  /// Called first in every call; what it returns is the answer unless it is Done.
  std::function<Answered(const std::string& method, const NodeCall& call)> before;

  std::size_t calls(const std::string& method) const {
    const std::lock_guard lock(mutex_);
    const auto at = calls_.find(method);
    return at == calls_.end() ? 0 : at->second;
  }
  NodeCall last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  ShardCall last_shard() const {
    const std::lock_guard lock(mutex_);
    return last_shard_;
  }
  void put(Point point) {
    const std::lock_guard lock(mutex_);
    points_[point.id] = std::move(point);
  }
  void erase(const PointId& id) {
    const std::lock_guard lock(mutex_);
    points_.erase(id);
  }

  Reply<std::vector<ScoredPoint>> search(const ShardCall& call,
                                         const thrift::SearchCall& query) override {
    if (auto no = enter("search", call); !no.ok()) return {no.error(), no.info};
    const std::lock_guard lock(mutex_);
    std::vector<ScoredPoint> hits;
    for (const auto& [id, point] : points_) {
      if (query.filter && !query.filter->matches(point.payload)) continue;
      float score = 0.0F;
      for (std::size_t i = 0; i < query.vector.size(); ++i) {
        score += query.vector[i] * point.vector[i];
      }
      hits.push_back({shown(point, query.projection), score});
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    if (hits.size() > query.k) hits.resize(query.k);
    return {std::move(hits), info_};
  }
  Reply<std::vector<Point>> get(const ShardCall& call, const thrift::GetCall& wanted) override {
    if (auto no = enter("get", call); !no.ok()) return {no.error(), no.info};
    const std::lock_guard lock(mutex_);
    std::vector<Point> found;
    for (const auto& id : wanted.ids) {
      const auto at = points_.find(id);
      if (at != points_.end()) found.push_back(shown(at->second, wanted.projection));
    }
    return {std::move(found), info_};
  }
  Reply<std::vector<Point>> scroll(const ShardCall& call,
                                   const thrift::ScrollCall& query) override {
    if (auto no = enter("scroll", call); !no.ok()) return {no.error(), no.info};
    const std::lock_guard lock(mutex_);
    std::vector<Point> found;
    auto at = query.after ? points_.upper_bound(*query.after) : points_.begin();
    for (; at != points_.end() && found.size() < query.limit; ++at) {
      if (query.filter && !query.filter->matches(at->second.payload)) continue;
      found.push_back(shown(at->second, query.projection));
    }
    return {std::move(found), info_};
  }
  Reply<std::uint64_t> count(const ShardCall& call, const std::optional<Filter>& filter) override {
    if (auto no = enter("count", call); !no.ok()) return {no.error(), no.info};
    const std::lock_guard lock(mutex_);
    std::uint64_t number = 0;
    for (const auto& [id, point] : points_) {
      if (!filter || filter->matches(point.payload)) ++number;
    }
    return {number, info_};
  }
  Reply<std::vector<thrift::FieldCount>> fields(const ShardCall& call, std::size_t limit) override {
    if (auto no = enter("fields", call); !no.ok()) return {no.error(), no.info};
    std::vector<thrift::FieldCount> fields{{"lang", {"string"}, 3, {"en"}},
                                           {"year", {"number"}, 2, {2026}}};
    if (fields.size() > limit) fields.resize(limit);
    return {std::move(fields), info_};
  }
  Reply<thrift::ShardCounts> stats(const ShardCall& call) override {
    if (auto no = enter("stats", call); !no.ok()) return {no.error(), no.info};
    return {thrift::ShardCounts{1, 2, 3}, info_};
  }

  Reply<MutationResult> write(const ShardCall& call, const WriteRequest& request) override {
    if (auto no = enter("write", call); !no.ok()) return {no.error(), no.info};
    const std::lock_guard lock(mutex_);
    const auto& id = call.context.request_id;
    if (!id.empty() && results_.count(id) == 1) return {results_[id], info_};
    const auto result = apply(request);
    if (!id.empty()) results_[id] = result;
    return {result, info_};
  }
  Answered create_shard(const ShardCall& call, const CollectionSpec& spec) override {
    if (auto no = enter("create_shard", call); !no.ok()) return no;
    const std::lock_guard lock(mutex_);
    spec_ = spec;
    return {Done{}, info_};
  }
  Answered drop_shard(const ShardCall& call) override { return acknowledge("drop_shard", call); }

  Reply<thrift::Checkpoint> begin_checkpoint(const ShardCall& call) override {
    if (auto no = enter("begin_checkpoint", call); !no.ok()) return {no.error(), no.info};
    return {thrift::Checkpoint{"cp-1", {{"data/1.sst", file.size()}}, {Term{2}, Seq{40}}}, info_};
  }
  Reply<std::string> read_chunk(const ShardCall& call, const thrift::ChunkCall& chunk) override {
    if (auto no = enter("read_chunk", call); !no.ok()) return {no.error(), no.info};
    if (chunk.offset > file.size()) return Error{ErrorCode::InvalidArgument, "behind the end"};
    return {file.substr(chunk.offset, chunk.length), info_};
  }
  Answered end_checkpoint(const ShardCall& call, const std::string& checkpoint) override {
    if (checkpoint != "cp-1") return Error{ErrorCode::NotFound, "no checkpoint " + checkpoint};
    return acknowledge("end_checkpoint", call);
  }
  Reply<LogPosition> hold_writes(const ShardCall& call, std::chrono::milliseconds hold) override {
    if (auto no = enter("hold_writes", call); !no.ok()) return {no.error(), no.info};
    return {LogPosition{Term{1}, Seq{static_cast<std::uint64_t>(hold.count())}}, info_};
  }
  Answered release_writes(const ShardCall& call) override {
    return acknowledge("release_writes", call);
  }
  Answered hand_over(const ShardCall& call, const thrift::HandOverCall& /*request*/) override {
    return acknowledge("hand_over", call);
  }
  Reply<std::vector<thrift::CopyPosition>> copy_positions(
      const NodeCall& call, const std::vector<thrift::CopyName>& copies) override {
    if (auto no = enter("copy_positions", call); !no.ok()) return {no.error(), no.info};
    // Each copy's log is as long as its shard's number.
    std::vector<thrift::CopyPosition> out(copies.size());
    for (std::size_t i = 0; i < copies.size(); ++i) out[i].last.seq = Seq{raw(copies[i].shard)};
    return {out, info_};
  }
  Answered direct(const ShardCall& call, const thrift::PrimaryOrder& order) override {
    if (order.copy != CopyId{std::string(32, '1')})
      return Error{ErrorCode::NotFound, "no such copy"};
    return acknowledge("direct", call);
  }
  Reply<ContentSums> content_sums(const ShardCall& call) override {
    if (auto no = enter("content_sums", call); !no.ok()) return {no.error(), no.info};
    last_shard_ = call;
    ContentSums sums;
    sums.points = 3;
    sums.buckets.resize(kContentBuckets, 5);
    return {std::move(sums), info_};
  }

  Reply<thrift::Welcome> join(const NodeCall& call, const thrift::JoinCall& request) override {
    if (auto no = enter("join", call); !no.ok()) return {no.error(), no.info};
    return {thrift::Welcome{"c-1", {"etcd:1"}, {{request.node.id, request.rpc_address, "joining"}}},
            info_};
  }
  Reply<thrift::HeartbeatEcho> ping(const NodeCall& call,
                                    const thrift::Heartbeat& heartbeat) override {
    if (auto no = enter("ping", call); !no.ok()) return {no.error(), no.info};
    return {thrift::HeartbeatEcho{{"server", 7, "0.1.0"}, heartbeat.state}, info_};
  }
  Reply<thrift::NodeStatus> status(const NodeCall& call) override {
    if (auto no = enter("status", call); !no.ok()) return {no.error(), no.info};
    thrift::NodeStatus status;
    status.node = {"server", 7, "0.1.0"};
    status.state = "active";
    status.load = 0.5;
    return {status, info_};
  }

  CollectionSpec spec() const {
    const std::lock_guard lock(mutex_);
    return spec_;
  }
  /// What read_chunk() reads of.
  std::string file;

 private:
  static Point shown(const Point& point, const Projection& projection) {
    Point out = point;
    if (!projection.payload) out.payload = Json::object();
    if (!projection.text) out.text.reset();
    if (!projection.vector) out.vector.clear();
    return out;
  }

  MutationResult apply(const WriteRequest& request) {
    MutationResult result;
    const auto erase_if = [&](const auto& condition) {
      result.affected += std::erase_if(points_, condition);
    };
    if (const auto* matching = std::get_if<EraseMatching>(&request)) {
      erase_if([&](const auto& one) { return matching->filter.matches(one.second.payload); });
      return result;
    }
    const auto& mutation = std::get<Mutation>(request);
    if (const auto* upsert = std::get_if<UpsertPoints>(&mutation)) {
      for (const auto& point : upsert->points) {
        result.created += points_.insert_or_assign(point.id, point).second ? 1 : 0;
        ++result.affected;
      }
    }
    if (const auto* erase = std::get_if<ErasePoints>(&mutation)) {
      for (const auto& id : erase->ids) result.affected += points_.erase(id);
    }
    if (const auto* update = std::get_if<UpdatePayload>(&mutation)) {
      for (const auto& id : update->ids) {
        const auto at = points_.find(id);
        if (at == points_.end()) continue;
        at->second.payload = update->payload;
        ++result.affected;
      }
    }
    return result;
  }

  Answered acknowledge(const char* method, const ShardCall& call) {
    if (auto no = enter(method, call); !no.ok()) return no;
    return {Done{}, info_};
  }
  Answered enter(const std::string& method, const ShardCall& call) {
    {
      const std::lock_guard lock(mutex_);
      last_shard_ = call;
    }
    return enter(method, static_cast<const NodeCall&>(call));
  }
  Answered enter(const std::string& method, const NodeCall& call) {
    {
      const std::lock_guard lock(mutex_);
      ++calls_[method];
      last_ = call;
    }
    return before ? before(method, call) : Answered(Done{});
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> calls_;
  NodeCall last_;
  ShardCall last_shard_;
  std::map<PointId, Point> points_;
  std::map<RequestId, MutationResult> results_;
  CollectionSpec spec_;
  const thrift::ReplyInfo info_{41, Term{3}, "", std::chrono::milliseconds(0), false};
};

}  // namespace quiver::testing
