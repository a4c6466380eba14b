// What filters cost HnswIndex, in process: searches per second and recall@10 under the filters of
// dataset.h, asked as search() and as scan().
//
//     filter_bench BASE QUERIES PREFIX DIM GRAPH [rounds=5] [ef]...
//
// BASE and QUERIES: rows of DIM float32 of unit length, point `id` being row `id`. PREFIX: as
// bench_exact wrote it, not churned. GRAPH: a snapshot of the index, built and written if there is
// none. Rounds are interleaved and medians are printed, by the clock and by processor time, which
// other work on the machine disturbs less.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "storage/hnsw_index.h"
#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

using namespace quiver::storage;

constexpr std::size_t kTop = 10;

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Words {
  std::string base;
  std::string queries;
  std::string prefix;
  std::size_t dim = 0;
  std::filesystem::path graph;
  std::size_t rounds = 5;
  std::vector<std::size_t> efs{64, 128, 400};
};

/// One filter, and the right answers under it.
struct Case {
  std::string name;
  SlotSet allowed;
  std::vector<std::int32_t> answers;
  bool all = false;
};

/// `ef` 0: a scan.
struct Line {
  std::size_t ef = 0;
  const Case* filter = nullptr;
  std::vector<double> qps{};
  std::vector<double> cpu_us{};
  double recall = 0;
};

std::unique_ptr<HnswIndex> open_index(const Words& words, const Matrix& base,
                                      IndexBuilder& builder) {
  CollectionSpec spec;
  spec.dimension = static_cast<std::uint32_t>(words.dim);
  spec.metric = Metric::Cosine;
  auto index = must(HnswIndex::open(spec, {}, builder, words.graph));
  if (index->size() == base.rows) return index;
  if (index->size() != 0) throw std::runtime_error("the snapshot holds another number of points");
  for (std::size_t id = 0; id < base.rows; ++id) {
    must(index->insert(Slot{static_cast<std::uint32_t>(id)}, {base.row(id), base.dim}));
  }
  must(index->wait_indexed({}));
  must(index->save({}, words.graph));
  return index;
}

void measure(const HnswIndex& index, const Matrix& queries, Line& line) {
  std::size_t expected = 0;
  std::size_t hits = 0;
  const double start = now_s();
  const double cpu_start = cpu_s();
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const IndexQuery query{.vector = {queries.row(q), queries.dim},
                           .k = kTop,
                           .ef = line.ef,
                           .allowed = line.filter->all ? nullptr : &line.filter->allowed};
    const auto found = must(line.ef == 0 ? index.scan({}, query) : index.search({}, query));
    const auto first = line.filter->answers.begin() + static_cast<std::ptrdiff_t>(q * kTop);
    const auto last = first + kTop;
    expected += kTop - static_cast<std::size_t>(std::count(first, last, kDeleted));
    for (const auto& neighbor : found) {
      hits += std::count(first, last, static_cast<std::int32_t>(raw(neighbor.slot))) > 0 ? 1 : 0;
    }
  }
  const auto count = static_cast<double>(queries.rows);
  line.cpu_us.push_back((cpu_s() - cpu_start) * 1e6 / count);
  line.qps.push_back(count / (now_s() - start));
  line.recall = static_cast<double>(hits) / static_cast<double>(expected);
}

std::vector<Case> cases_of(const Words& words, std::size_t points) {
  std::vector<Case> cases;
  for (const auto& filter : bucket_filters()) {
    Case entry{filter.name, {}, read_ints(words.prefix + "." + filter.suffix + ".i32"), false};
    entry.all = filter.json.empty();
    for (std::size_t id = 0; id < points; ++id) {
      if (filter.passes(bucket(id))) entry.allowed.insert(Slot{static_cast<std::uint32_t>(id)});
    }
    cases.push_back(std::move(entry));
  }
  return cases;
}

void bench(const Words& words) {
  const Matrix base = read_matrix(words.base, words.dim);
  const Matrix queries = read_matrix(words.queries, words.dim);
  const auto cases = cases_of(words, base.rows);
  IndexBuilder builder(2);
  const auto index = open_index(words, base, builder);
  std::vector<Line> lines;
  for (const auto& filter : cases) {
    for (const std::size_t ef : words.efs) lines.push_back({.ef = ef, .filter = &filter});
    if (!filter.all) lines.push_back({.ef = 0, .filter = &filter});
  }
  for (std::size_t round = 0; round < words.rounds; ++round) {
    for (auto& line : lines) measure(*index, queries, line);
  }
  std::cout << "filter\tpoints\task\tq/s\tcpu us\trecall\n" << std::fixed;
  for (const auto& line : lines) {
    const std::string ask = line.ef == 0 ? "scan" : "ef " + std::to_string(line.ef);
    std::cout << line.filter->name << '\t' << line.filter->allowed.size() << '\t' << ask << '\t'
              << std::setprecision(0) << median(line.qps) << '\t' << median(line.cpu_us) << '\t'
              << std::setprecision(4) << line.recall << '\n';
  }
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** arguments) {
  try {
    if (count < 6) {
      throw std::runtime_error(
          "usage: filter_bench BASE QUERIES PREFIX DIM GRAPH [rounds] [ef]...");
    }
    quiver::bench::Words words{arguments[1], arguments[2], arguments[3], std::stoul(arguments[4]),
                               arguments[5]};
    if (count > 6) words.rounds = std::stoul(arguments[6]);
    if (count > 7) words.efs.clear();
    for (int i = 7; i < count; ++i) words.efs.push_back(std::stoul(arguments[i]));
    quiver::bench::bench(words);
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "filter_bench: " << problem.what() << "\n";
    return 1;
  }
}
