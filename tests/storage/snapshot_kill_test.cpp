// The process dies while it writes the snapshot of the index: what was acknowledged is found
// afterwards, by way of the index as well.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

constexpr const char* kDirectory = "QUIVER_SNAPSHOT_TEST";
constexpr std::uint32_t kDimension = 64;
constexpr std::uint64_t kBatch = 50;

Options graph_options() {
  Options options;
  options.exact_search_points = 100;
  return options;
}

std::vector<float> vector_of(std::uint64_t id) {
  std::mt19937 random(static_cast<std::uint32_t>(id));
  std::vector<float> vector(kDimension);
  for (auto& x : vector) x = static_cast<float>(random() % 1000);
  return vector;
}

/// Bytes of a file to which the child adds one for each batch that was acknowledged.
std::uint64_t acknowledged(const std::filesystem::path& directory) {
  std::error_code none;
  const auto size = std::filesystem::file_size(directory / "progress", none);
  return none ? 0 : size;
}

pid_t start_child(const std::filesystem::path& directory) {
  REQUIRE(::setenv(kDirectory, directory.c_str(), 1) == 0);
  std::string program = "/proc/self/exe";
  std::string test = "[.snapshot-child]";
  char* arguments[] = {program.data(), test.data(), nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  return child;
}

}  // namespace

TEST_CASE("snapshot: what the child process does", "[.snapshot-child]") {
  const char* directory = std::getenv(kDirectory);
  REQUIRE(directory != nullptr);
  spdlog::set_level(spdlog::level::off);
  TestShard shard(std::filesystem::path(directory) / "shard", spec_of(kDimension), graph_options());
  REQUIRE(error_of(shard.open()) == "");
  for (auto id = shard->stats().points;; id += kBatch) {
    UpsertPoints upsert;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      upsert.points.push_back(point_of(PointId(id + i), vector_of(id + i)));
    }
    REQUIRE(error_of(shard.write(std::move(upsert))) == "");
    std::ofstream(std::filesystem::path(directory) / "progress", std::ios::app) << '.';
    REQUIRE(error_of(shard->flush_index(CallContext{})) == "");
  }
}

TEST_CASE("snapshot: killed while it is written, nothing is lost or wrong", "[storage][snapshot]") {
  const ScratchDirectory scratch;
  const auto files = scratch / "shard";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  spdlog::set_level(spdlog::level::off);
  int halfway = 0;
  for (int round = 0; halfway < 4 && std::chrono::steady_clock::now() < deadline; ++round) {
    const auto before = acknowledged(scratch.path());
    const pid_t child = start_child(scratch.path());
    // Through a few whole ones, then into the next.
    while (acknowledged(scratch.path()) < before + 3 ||
           !std::filesystem::exists(files / "index.graph.next")) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      REQUIRE(::waitpid(child, nullptr, WNOHANG) == 0);
      std::this_thread::yield();
    }
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    halfway += std::filesystem::exists(files / "index.graph.next") ? 1 : 0;

    const std::uint64_t points = acknowledged(scratch.path()) * kBatch;
    TestShard shard(files, spec_of(kDimension), graph_options());
    REQUIRE(error_of(shard.open()) == "");
    CAPTURE(round, points);
    CHECK(shard->stats().points >= points);
    CHECK_FALSE(std::filesystem::exists(files / "index.graph.next"));
    for (std::uint64_t id = 0; id < points; id += 17) {
      ShardQuery query;
      query.vector = vector_of(id);
      query.k = 1;
      query.ef = 1000;
      for (const bool exact : {false, true}) {
        query.exact = exact;
        const auto hits = shard->search(CallContext{}, query);
        REQUIRE(error_of(hits) == "");
        REQUIRE(hits->size() == 1);
        CHECK((*hits)[0].point.id == PointId(id));
      }
    }
  }
  spdlog::set_level(spdlog::level::info);
  CHECK(halfway >= 4);
}
