// Calls between nodes over loopback, client and server in this process: calls a second, and the
// median and 99th percentile of one, for a heartbeat and for a search of 768 floats whose ten hits
// bring their payloads.
// Usage: node_calls_bench [seconds]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "thrift/connection.h"
#include "thrift/node_client.h"
#include "thrift/server.h"

namespace {

using namespace quiver;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kDimension = 768;
const std::string kToken = "a token of the cluster, long enough";

/// Answers every search with the same ten hits, at once.
class Echo final : public thrift::NodeHandler {
 public:
  Echo() {
    for (std::uint64_t i = 0; i < 10; ++i) {
      ScoredPoint hit;
      hit.point.id = PointId(i);
      hit.point.payload = {{"title", "a note of some length"}, {"year", 2026}};
      hit.point.text = std::string(200, 'x');
      hit.score = 1.0F / static_cast<float>(i + 1);
      hits_.push_back(hit);
    }
  }
  thrift::Reply<std::vector<ScoredPoint>> search(const thrift::ShardCall&,
                                                 const thrift::SearchCall&) override {
    return hits_;
  }
  thrift::Reply<thrift::HeartbeatEcho> ping(const thrift::NodeCall&,
                                            const thrift::Heartbeat& heartbeat) override {
    return thrift::HeartbeatEcho{{"server", 1, "0.1.0"}, heartbeat.state};
  }
  thrift::Reply<MutationResult> write(const thrift::ShardCall&,
                                      const WriteRequest& request) override {
    const auto& upsert = std::get<UpsertPoints>(std::get<Mutation>(request));
    return MutationResult{upsert.points.size(), 0};
  }
  thrift::Reply<std::vector<Point>> get(const thrift::ShardCall&, const thrift::GetCall&) override {
    return no();
  }
  thrift::Reply<std::vector<Point>> scroll(const thrift::ShardCall&,
                                           const thrift::ScrollCall&) override {
    return no();
  }
  thrift::Reply<std::uint64_t> count(const thrift::ShardCall&,
                                     const std::optional<Filter>&) override {
    return no();
  }
  thrift::Reply<std::vector<thrift::FieldCount>> fields(const thrift::ShardCall&,
                                                        std::size_t) override {
    return no();
  }
  thrift::Reply<thrift::ShardCounts> stats(const thrift::ShardCall&) override { return no(); }
  thrift::Answered create_shard(const thrift::ShardCall&, const CollectionSpec&) override {
    return no();
  }
  thrift::Answered drop_shard(const thrift::ShardCall&) override { return no(); }
  thrift::Reply<thrift::Checkpoint> begin_checkpoint(const thrift::ShardCall&) override {
    return no();
  }
  thrift::Reply<std::string> read_chunk(const thrift::ShardCall&,
                                        const thrift::ChunkCall&) override {
    return no();
  }
  thrift::Answered end_checkpoint(const thrift::ShardCall&, const std::string&) override {
    return no();
  }
  thrift::Reply<LogPosition> hold_writes(const thrift::ShardCall&,
                                         std::chrono::milliseconds) override {
    return no();
  }
  thrift::Answered release_writes(const thrift::ShardCall&) override { return no(); }
  thrift::Reply<thrift::Welcome> join(const thrift::NodeCall&, const thrift::JoinCall&) override {
    return no();
  }
  thrift::Reply<thrift::NodeStatus> status(const thrift::NodeCall&) override { return no(); }

 private:
  static Error no() { return {ErrorCode::NotFound, "not measured"}; }

  std::vector<ScoredPoint> hits_;
};

void measure(const char* what, std::size_t threads, double seconds,
             const std::function<bool()>& call) {
  std::vector<std::vector<double>> times(threads);
  std::vector<std::thread> callers;
  std::atomic<bool> failed{false};
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (auto& mine : times) {
    callers.emplace_back([&] {
      for (auto before = Clock::now(); before < end;) {
        if (!call()) failed = true;
        const auto after = Clock::now();
        mine.push_back(std::chrono::duration<double, std::micro>(after - before).count());
        before = after;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::vector<double> all;
  for (const auto& mine : times) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  std::printf("  %-28s %2zu clients %9.0f calls/s   p50 %7.0f us   p99 %7.0f us%s\n", what, threads,
              static_cast<double>(all.size()) / took, all[all.size() / 2],
              all[all.size() * 99 / 100], failed ? "   FAILED" : "");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  thrift::SecurityOptions secrets;
  secrets.token = kToken;
  const auto security = thrift::Security::make(secrets).value();
  Echo echo;
  const auto server =
      thrift::NodeServer::start({"bench", {"server", 1, "0.1.0"}}, security, {}, echo, {}).value();
  auto dialer = std::make_shared<const thrift::Dialer>(
      thrift::LocalNode{"bench", {"client", 1, "0.1.0"}},
      thrift::PeerAddress{"127.0.0.1", server->port(), "server"}, security,
      std::chrono::milliseconds(3000));
  thrift::ClientOptions options;
  options.connections = {16, 16, 16, 4, 1};
  thrift::NodeClient client(dialer, options);

  thrift::ShardCall call;
  call.collection = "0123456789abcdef0123456789abcdef";
  thrift::SearchCall query;
  query.vector.assign(kDimension, 0.5F);
  UpsertPoints batch;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Point point;
    point.id = PointId(i);
    point.vector.assign(kDimension, 0.25F);
    batch.points.push_back(std::move(point));
  }
  const WriteRequest write = Mutation(std::move(batch));
  for (const std::size_t threads : {std::size_t{1}, std::size_t{16}}) {
    measure("heartbeat", threads, seconds,
            [&] { return client.ping(thrift::NodeCall(call), {"active"}).ok(); });
    measure("search, 768 floats, 10 hits", threads, seconds,
            [&] { return client.search(call, query).ok(); });
    measure("upsert, 100 x 768 floats", threads, seconds,
            [&] { return client.write(call, write).ok(); });
  }
  return 0;
}
