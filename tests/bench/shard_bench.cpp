// What a shard costs beyond its index: durable writes, questions with and without filters, stopping
// and starting.
//
//     shard_bench [points=100000] [dim=768] [batch=100] [directory=/tmp]
//
// Vectors are drawn around 1,000 centres. Prints one line for each figure; a start is timed until
// the first answer.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <stdlib.h>

#include "storage/disk_shard.h"

namespace {

using namespace quiver;
using namespace quiver::storage;
using Seconds = std::chrono::duration<double>;

struct Settings {
  std::size_t points = 100'000;
  std::uint32_t dim = 768;
  std::size_t batch = 100;
  std::filesystem::path directory = "/tmp";
};

template <typename T>
T must(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::cerr << result.error().message << '\n';
  std::exit(1);
}

double timed(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - begin).count();
}

class Vectors {
 public:
  explicit Vectors(std::size_t dim) : dim_(dim) {
    for (auto& centre : centres_) centre = draw(std::vector<float>(dim, 0.0F), 1.0F);
  }
  std::vector<float> next() { return draw(centres_[random_() % centres_.size()], 0.6F); }

 private:
  std::vector<float> draw(const std::vector<float>& around, float spread) {
    std::normal_distribution<float> normal(0.0F, spread);
    std::vector<float> out(dim_);
    for (std::size_t i = 0; i < dim_; ++i) out[i] = around[i] + normal(random_);
    return out;
  }

  std::size_t dim_;
  std::mt19937 random_{42};
  std::vector<std::vector<float>> centres_ = std::vector<std::vector<float>>(1000);
};

class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings), vectors_(settings.dim) {
    spec_.id = std::string(32, '0');
    spec_.name = "bench";
    spec_.dimension = settings.dim;
    std::string path = (settings.directory / "shard_bench_XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::exit(1);
    directory_ = path;
  }
  ~Bench() {
    shard_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void run() {
    print("make, s", timed([&] { open(); }));
    ingest();
    print("wait for the graph, s", timed([&] { must(shard_->flush_index(CallContext{})); }));
    singles();
    print("disk, bytes per point",
          static_cast<double>(shard_->stats().disk_bytes) / static_cast<double>(settings_.points));
    questions();
    print("stop, s", timed([&] { shard_.reset(); }));
    print("start to first answer, s", timed([&] {
            open();
            (void)search(std::nullopt);
          }));
    print("first filtered answer, s", timed([&] { (void)search(bucket(1)); }));
  }

 private:
  static void print(const std::string& what, double value) {
    std::cerr << what << ": " << value << '\n';
  }
  void open() {
    shard_ = must(DiskShard::open(directory_ / "shard", spec_, ShardId{0}, environment_));
    must(shard_->apply_through(shard_->tail().seq));
  }
  Point point(std::uint64_t id) {
    Point out;
    out.id = PointId(id);
    out.vector = vectors_.next();
    out.payload = {{"bucket", id % 100}, {"source", "bench"}};
    return out;
  }
  void write(std::uint64_t from, std::size_t count) {
    LogEntry entry;
    entry.seq = next(shard_->tail().seq);
    UpsertPoints upsert;
    for (std::size_t i = 0; i < count; ++i) upsert.points.push_back(point(from + i));
    entry.mutation = std::move(upsert);
    const auto seq = entry.seq;
    const std::vector entries{std::move(entry)};
    spent_ += timed([&] {
      must(shard_->append(entries));
      must(shard_->apply_through(seq));
    });
  }
  void ingest() {
    for (std::size_t from = 0; from < settings_.points; from += settings_.batch) {
      write(from, std::min(settings_.batch, settings_.points - from));
    }
    print("durable points per second, graph built beside",
          static_cast<double>(settings_.points) / spent_);
  }
  void singles() {
    constexpr std::size_t kSingles = 2000;
    spent_ = 0;
    for (std::size_t i = 0; i < kSingles; ++i) write(settings_.points + i, 1);
    print("durable single writes per second", static_cast<double>(kSingles) / spent_);
  }
  static Filter bucket(int below) { return must(Filter::parse({{"bucket", {{"$lt", below}}}})); }
  std::vector<ScoredPoint> search(const std::optional<Filter>& filter) {
    ShardQuery query;
    query.vector = vectors_.next();
    query.filter = filter;
    return must(shard_->search(CallContext{}, query));
  }
  void questions() {
    constexpr int kQueries = 1000;
    const auto measure = [&](const std::string& what, const std::optional<Filter>& filter) {
      (void)search(filter);
      const double spent = timed([&] {
        for (int i = 0; i < kQueries; ++i) (void)search(filter);
      });
      print("search, microseconds, " + what, 1e6 * spent / kQueries);
    };
    measure("no filter", std::nullopt);
    measure("1 %", bucket(1));
    measure("10 %", bucket(10));
    measure("50 %", bucket(50));
  }

  const Settings settings_;
  Vectors vectors_;
  CollectionSpec spec_;
  std::filesystem::path directory_;
  const SystemClock clock_;
  ShardEnvironment environment_{Options{}, clock_};
  std::unique_ptr<DiskShard> shard_;
  double spent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto split = argument.find('=');
    const auto name = argument.substr(0, split);
    const auto value = split == std::string::npos ? "" : argument.substr(split + 1);
    if (name == "points") {
      settings.points = std::stoul(value);
    } else if (name == "dim") {
      settings.dim = static_cast<std::uint32_t>(std::stoul(value));
    } else if (name == "batch") {
      settings.batch = std::stoul(value);
    } else if (name == "directory") {
      settings.directory = value;
    } else {
      std::cerr << "shard_bench [points=100000] [dim=768] [batch=100] [directory=/tmp]\n";
      return 2;
    }
  }
  Bench(settings).run();
  return 0;
}
