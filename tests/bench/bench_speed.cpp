// Searches per second of one client of vector_search over stdio, against hnswlib called in this
// process with the same graph parameters and ef. Both take turns, so that whatever else the machine
// does meets both.
//
// Usage: bench_speed BINARY DATA COLLECTION BASE QUERIES DIM ANSWERS GRAPH
// GRAPH keeps hnswlib's graph between runs.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "tests/bench/dataset.h"
#include "tests/bench/mcp_pipe.h"
#include "tests/bench/stdio_load.h"

namespace quiver::bench {
namespace {

/// The smallest ef of these that reaches it is measured.
constexpr double kRecallWanted = 0.95;
constexpr std::size_t kEfs[] = {32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 400, 512, 800};
constexpr int kRounds = 5;
constexpr double kRoundSeconds = 2;

class HnswlibPeer {
 public:
  HnswlibPeer(const Matrix& base, std::size_t m, std::size_t ef_construction,
              const std::string& file)
      : space_(base.dim) {
    if (std::filesystem::exists(file)) {
      graph_ = std::make_unique<Graph>(&space_, file);
      return;
    }
    graph_ = std::make_unique<Graph>(&space_, base.rows, m, ef_construction);
    const double start = now_s();
    std::atomic<std::size_t> next{1};
    graph_->addPoint(base.row(0), 0);
    const auto work = [&] {
      for (std::size_t i = next++; i < base.rows; i = next++) graph_->addPoint(base.row(i), i);
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
      threads.emplace_back(work);
    }
    for (auto& thread : threads) thread.join();
    std::printf("  hnswlib built its graph in %.1f s\n", now_s() - start);
    graph_->saveIndex(file);
  }

  LoadResult run(const Matrix& queries, const std::vector<std::int32_t>& answers, std::size_t ef,
                 double seconds) {
    graph_->setEf(ef);
    Recall recall(answers);
    std::vector<std::int32_t> hits;
    std::size_t asked = 0;
    const double start = now_s();
    double now = start;
    do {
      for (std::size_t q = 0; q < queries.rows; ++q) {
        auto heap = graph_->searchKnn(queries.row(q), kHits);
        for (hits.clear(); !heap.empty(); heap.pop()) {
          hits.push_back(static_cast<std::int32_t>(heap.top().second));
        }
        if (asked < queries.rows) recall.add(q, hits);
        ++asked;
      }
      now = now_s();
    } while (now - start < seconds);
    return {static_cast<double>(asked) / (now - start), recall.value(), recall.short_answers()};
  }

 private:
  using Graph = hnswlib::HierarchicalNSW<float>;

  hnswlib::InnerProductSpace space_;
  std::unique_ptr<Graph> graph_;
};

struct Measured {
  std::vector<double> ours;
  std::vector<double> plain;
  std::vector<double> theirs;
  double our_recall = 0;
  double their_recall = 0;
};

std::size_t choose_ef(McpPipe& server, const Target& target,
                      const std::vector<std::int32_t>& answers) {
  for (const std::size_t ef : kEfs) {
    const auto lines = render_searches(target, {ef, "", false});
    if (run_load(server, lines, answers, 0).recall >= kRecallWanted) return ef;
  }
  throw std::runtime_error("no ef reaches the recall that is wanted");
}

Measured measure(McpPipe& server, HnswlibPeer& peer, const Target& target,
                 const std::vector<std::int32_t>& answers, std::size_t ef) {
  const auto lines = render_searches(target, {ef, "", false});
  const auto plain = render_searches(target, {ef, "", true});
  Measured out;
  for (int round = 0; round < kRounds; ++round) {
    const auto ours = run_load(server, lines, answers, kRoundSeconds);
    const auto theirs = peer.run(target.queries, answers, ef, kRoundSeconds);
    const auto numbers = run_load(server, plain, answers, kRoundSeconds);
    out.ours.push_back(ours.queries_per_s);
    out.theirs.push_back(theirs.queries_per_s);
    out.plain.push_back(numbers.queries_per_s);
    out.our_recall = ours.recall;
    out.their_recall = theirs.recall;
  }
  return out;
}

int run(const std::vector<std::string>& words) {
  if (words.size() != 9) {
    throw std::runtime_error(
        "usage: bench_speed BINARY DATA COLLECTION BASE QUERIES DIM ANSWERS GRAPH");
  }
  const std::size_t dim = std::stoul(words[6]);
  const Matrix base = read_matrix(words[4], dim);
  const Target target{words[3], read_matrix(words[5], dim)};
  const auto answers = read_ints(words[7]);
  McpPipe server(words[1], words[2]);
  server.initialize();
  const Json info = server.call("collection_info", {{"collection", target.collection}});
  HnswlibPeer peer(base, info["m"], info["ef_construction"], words[8]);
  const std::size_t ef = choose_ef(server, target, answers);
  const Measured measured = measure(server, peer, target, answers, ef);
  const double theirs = median(measured.theirs);
  std::printf("  m %s, ef_construction %s, ef %zu, %d rounds, medians\n", info["m"].dump().c_str(),
              info["ef_construction"].dump().c_str(), ef, kRounds);
  std::printf("  hnswlib in process           %7.0f q/s   recall %.4f\n", theirs,
              measured.their_recall);
  std::printf("  vector_search, base64        %7.0f q/s   recall %.4f   ratio %.2f\n",
              median(measured.ours), measured.our_recall, median(measured.ours) / theirs);
  std::printf("  vector_search, plain numbers %7.0f q/s   recall %.4f   ratio %.2f\n",
              median(measured.plain), measured.our_recall, median(measured.plain) / theirs);
  server.close();
  return 0;
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  try {
    return quiver::bench::run({words, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "bench_speed: " << problem.what() << "\n";
    return 1;
  }
}
