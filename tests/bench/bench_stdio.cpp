// Measures the real binary over its standard streams: cold start, building, restart, recall.
//
// Usage: bench_stdio cold BINARY DATA LABEL
//        bench_stdio build BINARY DATA COLLECTION BASE DIM RESULT
//        bench_stdio churn BINARY DATA COLLECTION BASE DIM
//        bench_stdio restart BINARY DATA COLLECTION QUERIES DIM ANSWERS RESULT
//        bench_stdio recall BINARY DATA COLLECTION QUERIES DIM PREFIX LABEL EF...
// DATA is a data directory. RESULT keeps the seconds that building took. Vectors are of unit length
// and point `id` has row `id` of BASE until the churn.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/dataset.h"
#include "tests/bench/mcp_pipe.h"
#include "tests/bench/stdio_load.h"

namespace quiver::bench {
namespace {

using Words = std::vector<std::string>;

constexpr std::size_t kBatch = 1000;

/// Returns when the graph holds every point.
void wait_until_indexed(McpPipe& server, const std::string& collection) {
  while (server.call("collection_info", {{"collection", collection}})["unindexed"] != 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// Writes row `row_of(id)` of `base` for each of `ids`.
void upsert(McpPipe& server, const std::string& collection, const Matrix& base,
            const std::vector<std::uint32_t>& ids,
            const std::function<std::size_t(std::size_t)>& row_of) {
  for (std::size_t start = 0; start < ids.size(); start += kBatch) {
    Json points = Json::array();
    for (std::size_t i = start; i < std::min(ids.size(), start + kBatch); ++i) {
      points.push_back({{"id", ids[i]},
                        {"vector", packed(base.row(row_of(ids[i])), base.dim)},
                        {"metadata", {{"bucket", bucket(ids[i])}}}});
    }
    server.call("vector_upsert", {{"collection", collection}, {"points", std::move(points)}});
  }
}

/// 20 starts; median and worst of the time from before the spawn to the first reply, and memory.
void measure_starts(const std::string& binary, const std::string& data, const std::string& label,
                    bool modern) {
  constexpr int kRuns = 20;
  std::vector<double> times;
  std::vector<double> memory;
  for (int run = 0; run < kRuns; ++run) {
    const double start = now_s();
    McpPipe server(binary, data);
    modern ? server.discover() : server.initialize();
    times.push_back((now_s() - start) * 1e3);
    memory.push_back(server.memory_mib("VmRSS"));
    server.close();
  }
  std::printf("  %-22s %-16s median %6.2f ms   max %6.2f ms   idle %5.1f MiB\n", label.c_str(),
              modern ? "server/discover" : "initialize", median(times),
              *std::max_element(times.begin(), times.end()), median(memory));
}

void cold(const Words& words) {
  for (const bool modern : {false, true}) measure_starts(words[2], words[3], words[4], modern);
}

void build(const Words& words) {
  const std::string& collection = words[4];
  const Matrix base = read_matrix(words[5], std::stoul(words[6]));
  McpPipe server(words[2], words[3]);
  server.initialize();
  server.call("collection_create",
              {{"name", collection}, {"dimension", base.dim}, {"metric", "cosine"}});
  std::vector<std::uint32_t> ids(base.rows);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::uint32_t>(i);
  const double start = now_s();
  upsert(server, collection, base, ids, [](std::size_t id) { return id; });
  const double written = now_s() - start;
  wait_until_indexed(server, collection);
  const double indexed = now_s() - start;
  const double memory = server.memory_mib("VmHWM");
  const double closing = server.close();
  std::ofstream(words[7]) << indexed << "\n";
  std::printf(
      "  %zu points of %zu: durable after %.1f s, in the graph after %.1f s "
      "(%.0f points/s), clean exit %.2f s, at most %.0f MiB\n",
      base.rows, base.dim, written, indexed, static_cast<double>(base.rows) / indexed, closing,
      memory);
}

void churn(const Words& words) {
  const std::string& collection = words[4];
  const Matrix base = read_matrix(words[5], std::stoul(words[6]));
  const Churn plan = churn_of(base.rows);
  // The rows as they were when points were replaced, before some of them were deleted.
  std::map<std::size_t, std::size_t> next;
  for (std::size_t i = 0; i < plan.replaced.size(); ++i) {
    next[plan.replaced[i]] = plan.replaced[(i + 1) % plan.replaced.size()];
  }
  McpPipe server(words[2], words[3]);
  server.initialize();
  const double start = now_s();
  upsert(server, collection, base, plan.replaced, [&](std::size_t id) { return next.at(id); });
  const double replaced = now_s() - start;
  for (std::size_t at = 0; at < plan.deleted.size(); at += kBatch) {
    const auto first = plan.deleted.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(kBatch, plan.deleted.size() - at);
    const std::vector<std::uint32_t> ids(first, first + static_cast<std::ptrdiff_t>(count));
    server.call("memory_delete", {{"collection", collection}, {"ids", ids}});
  }
  const double deleted = now_s() - start;
  wait_until_indexed(server, collection);
  const Json count =
      server.call("vector_scroll", {{"collection", collection}, {"count_only", true}})["count"];
  if (count != base.rows - plan.deleted.size()) {
    throw std::runtime_error("the churn left " + count.dump() + " points");
  }
  std::printf("  %zu replaced in %.1f s, %zu deleted in %.1f s, indexed after %.1f s\n",
              plan.replaced.size(), replaced, plan.deleted.size(), deleted - replaced,
              now_s() - start);
  server.close();
}

/// Seconds from before the spawn to a correct answer to the first query.
double first_answer(const Words& words, const Target& target,
                    const std::vector<std::int32_t>& answers, bool killed) {
  const auto lines = render_searches(target, {800, "", false});
  const double start = now_s();
  McpPipe server(words[2], words[3]);
  server.initialize();
  server.send(lines[0]);
  std::vector<std::int32_t> hits;
  parse_hit_ids(server.receive(), hits);
  const double taken = now_s() - start;
  if (hits.empty() || hits[0] != answers[0]) throw std::runtime_error("the answer was wrong");
  if (killed) {
    server.kill();
  } else {
    server.close();
  }
  return taken;
}

void restart(const Words& words) {
  const Target target{words[4], read_matrix(words[5], std::stoul(words[6]))};
  const auto answers = read_ints(words[7]);
  double building = 0;
  std::ifstream(words[8]) >> building;
  for (const bool killed : {false, true}) {
    std::vector<double> times;
    if (killed) first_answer(words, target, answers, killed);
    for (int run = 0; run < 3; ++run) {
      times.push_back(first_answer(words, target, answers, killed));
    }
    std::printf(
        "  first correct answer after %-12s %6.2f s, building took %.1f s, ratio 1 : %.0f\n",
        killed ? "kill -9" : "a clean exit", median(times), building, building / median(times));
  }
}

void recall(const Words& words) {
  const Target target{words[4], read_matrix(words[5], std::stoul(words[6]))};
  McpPipe server(words[2], words[3]);
  server.initialize();
  for (std::size_t i = 9; i < words.size(); ++i) {
    std::printf("  %-30s ef %5s:", words[8].c_str(), words[i].c_str());
    for (const auto& filter : bucket_filters()) {
      const auto lines = render_searches(target, {std::stoul(words[i]), filter.json, false});
      const auto answers = read_ints(words[7] + "." + filter.suffix + ".i32");
      const auto result = run_load(server, lines, answers, 0);
      std::printf("   filter %-4s recall %.4f %7.0f q/s", filter.name.c_str(), result.recall,
                  result.queries_per_s);
      if (result.short_answers > 0) std::printf(" (%zu SHORT)", result.short_answers);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  server.close();
}

int run(const Words& words) {
  struct Command {
    std::size_t words;
    void (*run)(const Words&);
  };
  const std::map<std::string, Command> commands{{"cold", {5, cold}},
                                                {"build", {8, build}},
                                                {"churn", {7, churn}},
                                                {"restart", {9, restart}},
                                                {"recall", {10, recall}}};
  const auto found = words.size() < 2 ? commands.end() : commands.find(words[1]);
  if (found == commands.end() || words.size() < found->second.words) {
    throw std::runtime_error("usage stands at the top of tests/bench/bench_stdio.cpp");
  }
  found->second.run(words);
  return 0;
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  try {
    return quiver::bench::run({words, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "bench_stdio: " << problem.what() << "\n";
    return 1;
  }
}
