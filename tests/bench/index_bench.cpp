// Compares HnswIndex with the bare library it is built on, in one process: time to build, queries
// per second and recall@10 for the same M, ef_construction and ef.
//
//     index_bench BASE QUERIES TRUTH DIM [m=16] [efc=200] [rounds=5] [metric=cosine] [rows=all]
//
// BASE and QUERIES: rows of DIM float32. TRUTH: for each query 100 int32, the rows of BASE nearest
// to it; "-": found by a scan. Rounds are interleaved, so that both sides meet the same weather,
// and medians are compared: by the clock and by processor time, which other work on the machine
// disturbs less. The library runs with our kernels, as fast as its own when compiled for this
// processor.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "storage/distance.h"
#include "storage/flat_index.h"
#include "storage/hnsw_index.h"

namespace {

using namespace quiver;
using namespace quiver::storage;
using Seconds = std::chrono::duration<double>;

struct Data {
  std::size_t dim = 0;
  Metric metric = Metric::Cosine;
  std::vector<float> base;
  std::vector<float> queries;
  std::vector<std::int32_t> truth;

  std::size_t base_count() const { return base.size() / dim; }
  std::size_t query_count() const { return queries.size() / dim; }
  const float* vector(std::size_t i) const { return &base[i * dim]; }
  const float* query(std::size_t i) const { return &queries[i * dim]; }
};

/// What a stretch of work took.
struct Cost {
  double wall_s = 0.0;
  double cpu_s = 0.0;
};

class Stopwatch {
 public:
  Cost read() const {
    const Seconds wall = std::chrono::steady_clock::now() - wall_;
    return {wall.count(), cpu_now() - cpu_};
  }

 private:
  static double cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_now();
};

struct Settings {
  std::size_t m = 16;
  std::size_t efc = 200;
  std::size_t rounds = 5;
  std::vector<std::size_t> efs{32, 64, 128, 256, 512};
};

template <typename T>
std::vector<T> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::cerr << path << ": cannot be read\n";
    std::exit(1);
  }
  std::vector<T> values(std::filesystem::file_size(path) / sizeof(T));
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

void normalise(std::vector<float>& values, std::size_t dim) {
  for (std::size_t i = 0; i < values.size(); i += dim) {
    double squares = 0.0;
    for (std::size_t d = 0; d < dim; ++d) squares += double{values[i + d]} * double{values[i + d]};
    const auto factor = static_cast<float>(1.0 / std::sqrt(std::max(squares, 1e-30)));
    for (std::size_t d = 0; d < dim; ++d) values[i + d] *= factor;
  }
}

void find_truth(Data& data) {
  FlatIndex flat(data.dim, data.metric);
  for (std::size_t i = 0; i < data.base_count(); ++i) {
    if (!flat.insert(Slot{static_cast<std::uint32_t>(i)}, {data.vector(i), data.dim}).ok()) {
      std::exit(1);
    }
  }
  data.truth.assign(data.query_count() * 100, -1);
  for (std::size_t q = 0; q < data.query_count(); ++q) {
    const auto found = flat.scan({}, {.vector = {data.query(q), data.dim}, .k = 100});
    if (!found.ok()) std::exit(1);
    for (std::size_t i = 0; i < found->size(); ++i) {
      data.truth[q * 100 + i] = static_cast<std::int32_t>(raw((*found)[i].slot));
    }
  }
}

/// The library with our kernels: the comparison is of everything else.
class OurSpace final : public hnswlib::SpaceInterface<float> {
 public:
  OurSpace(Metric metric, std::size_t dim) : kernel_{distance_function(metric), dim} {}
  std::size_t get_data_size() override { return kernel_.dim * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return &distance; }
  void* get_dist_func_param() override { return &kernel_; }

 private:
  struct Kernel {
    DistanceFunction function;
    std::size_t dim;
  };
  static float distance(const void* a, const void* b, const void* kernel) {
    const auto& [function, dim] = *static_cast<const Kernel*>(kernel);
    return function(static_cast<const float*>(a), static_cast<const float*>(b), dim);
  }
  Kernel kernel_;
};

using Raw = hnswlib::HierarchicalNSW<float>;
using Search = std::function<std::vector<std::size_t>(const float*, std::size_t ef)>;

struct Run {
  double qps = 0.0;
  double cpu_us = 0.0;
  double recall = 0.0;
};

Run run(const Data& data, const Search& search, std::size_t ef) {
  std::size_t hits = 0;
  const Stopwatch watch;
  for (std::size_t q = 0; q < data.query_count(); ++q) {
    const auto found = search(data.query(q), ef);
    const auto* truth = &data.truth[q * 100];
    for (const auto slot : found) {
      hits +=
          static_cast<std::size_t>(std::count(truth, truth + 10, static_cast<std::int32_t>(slot)));
    }
  }
  const Cost cost = watch.read();
  const auto queries = static_cast<double>(data.query_count());
  return {queries / cost.wall_s, cost.cpu_s * 1e6 / queries,
          static_cast<double>(hits) / (10.0 * queries)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Cost build_raw(Raw& raw_index, const Data& data, std::size_t threads) {
  const Stopwatch watch;
  std::atomic<std::size_t> next{1};
  raw_index.addPoint(data.vector(0), 0);
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < data.base_count(); i = next++) {
        raw_index.addPoint(data.vector(i), i);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  return watch.read();
}

Cost build_ours(HnswIndex& index, const Data& data) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < data.base_count(); ++i) {
    const auto inserted =
        index.insert(Slot{static_cast<std::uint32_t>(i)}, {data.vector(i), data.dim});
    if (!inserted.ok()) {
      std::cerr << inserted.error().message << "\n";
      std::exit(1);
    }
  }
  std::cout << "  all findable after " << watch.read().wall_s << " s" << std::endl;
  if (!index.wait_indexed({}).ok()) std::exit(1);
  return watch.read();
}

void compare(const Data& data, const Settings& settings,
             const std::map<std::string, Search>& sides) {
  std::cout << "ef";
  for (const auto& [name, search] : sides) std::cout << "\t" << name << " qps\tcpu us\trecall";
  std::cout << "\tours/raw: qps\tcpu" << std::endl;
  for (const std::size_t ef : settings.efs) {
    std::map<std::string, std::vector<double>> qps;
    std::map<std::string, std::vector<double>> cpu_us;
    std::map<std::string, double> recall;
    for (std::size_t round = 0; round < settings.rounds; ++round) {
      for (const auto& [name, search] : sides) {
        const Run result = run(data, search, ef);
        qps[name].push_back(result.qps);
        cpu_us[name].push_back(result.cpu_us);
        recall[name] = result.recall;
      }
    }
    std::cout << ef;
    for (const auto& [name, search] : sides) {
      std::cout << "\t" << median(qps[name]) << "\t" << median(cpu_us[name]) << "\t"
                << recall[name];
    }
    std::cout << "\t" << median(qps["ours"]) / median(qps["raw"]) << "\t"
              << median(cpu_us["raw"]) / median(cpu_us["ours"]) << std::endl;
  }
}

void compare_snapshot(HnswIndex& index, const CollectionSpec& spec, IndexBuilder& builder) {
  const auto file = std::filesystem::temp_directory_path() / "quiver_index_bench.graph";
  const Stopwatch saving;
  if (!index.save({}, file).ok()) std::exit(1);
  std::cout << "save: " << saving.read().wall_s << " s, " << std::filesystem::file_size(file)
            << " bytes\n";
  const Stopwatch loading;
  const auto opened = HnswIndex::open(spec, {}, builder, file);
  const Cost cost = loading.read();
  std::cout << "load: " << cost.wall_s << " s, cpu " << cost.cpu_s << " s" << std::endl;
  std::filesystem::remove(file);
  if (!opened.ok()) std::exit(1);
}

Search raw_search(Raw& raw_index) {
  return [&raw_index](const float* query, std::size_t ef) {
    raw_index.setEf(ef);
    auto queue = raw_index.searchKnn(query, 10);
    std::vector<std::size_t> found;
    for (; !queue.empty(); queue.pop()) found.push_back(queue.top().second);
    return found;
  };
}

Search our_search(const HnswIndex& index, std::size_t dim, bool exact) {
  return [&index, dim, exact](const float* query, std::size_t ef) {
    const IndexQuery request{.vector = {query, dim}, .k = 10, .ef = ef};
    const auto answer = exact ? index.scan({}, request) : index.search({}, request);
    std::vector<std::size_t> found;
    for (const auto& neighbor : *answer) found.push_back(raw(neighbor.slot));
    return found;
  };
}

void bench(const Data& data, const Settings& settings) {
  CollectionSpec spec;
  spec.dimension = static_cast<std::uint32_t>(data.dim);
  spec.metric = data.metric;
  spec.hnsw.m = static_cast<std::uint32_t>(settings.m);
  spec.hnsw.ef_construction = static_cast<std::uint32_t>(settings.efc);
  std::cout << data.base_count() << " x " << data.dim << ", m " << settings.m << ", efc "
            << settings.efc << ", kernels " << supported_kernels().front().instructions << "\n";

  OurSpace space(data.metric, data.dim);
  Raw raw_index(&space, data.base_count(), settings.m, settings.efc);
  std::map<std::size_t, std::pair<double, double>> built;
  for (const std::size_t threads : {2U, 1U}) {
    IndexBuilder builder(static_cast<std::uint32_t>(threads));
    auto index = HnswIndex::create(spec, {}, builder);
    if (!index.ok()) {
      std::cerr << index.error().message << "\n";
      std::exit(1);
    }
    const Cost ours = build_ours(**index, data);
    std::unique_ptr<Raw> other;
    if (threads != 1) {
      other = std::make_unique<Raw>(&space, data.base_count(), settings.m, settings.efc);
    }
    const Cost theirs = build_raw(other ? *other : raw_index, data, threads);
    std::cout << "build, " << threads << " threads: ours " << ours.wall_s << " s, cpu "
              << ours.cpu_s << "; raw " << theirs.wall_s << " s, cpu " << theirs.cpu_s
              << "; speed ours/raw: " << theirs.wall_s / ours.wall_s << ", by cpu "
              << theirs.cpu_s / ours.cpu_s << std::endl;
    if (threads != 1) continue;
    compare_snapshot(**index, spec, builder);
    compare(data, settings,
            {{"ours", our_search(**index, data.dim, false)}, {"raw", raw_search(raw_index)}});
    const Run scanned = run(data, our_search(**index, data.dim, true), 0);
    std::cout << "scan: " << scanned.qps << " qps, cpu us " << scanned.cpu_us << ", recall "
              << scanned.recall << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: index_bench BASE QUERIES TRUTH DIM [m] [efc] [rounds] [metric] [rows]\n";
    return 2;
  }
  Data data;
  data.base = read_file<float>(argv[1]);
  data.queries = read_file<float>(argv[2]);
  data.dim = std::stoul(argv[4]);
  Settings settings;
  if (argc > 5) settings.m = std::stoul(argv[5]);
  if (argc > 6) settings.efc = std::stoul(argv[6]);
  if (argc > 7) settings.rounds = std::stoul(argv[7]);
  if (argc > 8) {
    const auto metric = metric_from_name(argv[8]);
    if (!metric.ok()) {
      std::cerr << metric.error().message << "\n";
      return 2;
    }
    data.metric = *metric;
  }
  if (argc > 9) data.base.resize(std::min(data.base.size(), std::stoul(argv[9]) * data.dim));
  if (data.metric == Metric::Cosine) {
    normalise(data.base, data.dim);
    normalise(data.queries, data.dim);
  }
  if (std::string(argv[3]) == "-") {
    find_truth(data);
  } else {
    data.truth = read_file<std::int32_t>(argv[3]);
  }
  bench(data, settings);
  return 0;
}
