// A graph's snapshot under damage of every kind. Damage with stale checksums must be found by them;
// damage under checksums made anew must be found by the checks behind them, or be harmless.

#include "storage/graph_file.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <xxhash.h>

#include "tests/storage/index/world.h"

namespace quiver::storage {
namespace {

namespace fs = std::filesystem;

// The format, as graph_file.h documents it.
constexpr std::size_t kHeaderBytes = 80;
constexpr std::size_t kBodyHash = 56;
constexpr std::size_t kHeaderHash = 72;

const GraphShape kShape{.dim = 6, .metric = Metric::Euclidean, .hnsw = {.m = 4}};
constexpr std::size_t kNodes = 300;
constexpr std::size_t kRow = (2 * 4 + 1) * 4 + 6 * 4 + 8;

struct Snapshot {
  Snapshot() {
    std::string name = (fs::temp_directory_path() / "quiver_graph_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    directory = name;
    auto graph = HnswGraph::create(kShape, 10);
    REQUIRE(graph.ok());
    (*graph)->begin_inserts();
    testing::Clusters clusters(kShape.dim, kShape.metric, 3);
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const auto node = (*graph)->insert(Slot{i * 3}, clusters.next().data());
      REQUIRE(node.ok());
      if (i % 10 != 0) (*graph)->publish(*node);
    }
    (*graph)->end_inserts();
    REQUIRE(GraphFile::save(**graph, file()).ok());
    std::ifstream in(file(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  ~Snapshot() { fs::remove_all(directory); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  fs::path file() const { return directory / "graph"; }

  Result<std::unique_ptr<HnswGraph>> load(const std::string& changed) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << changed;
    return GraphFile::load(file(), kShape);
  }
  /// The reason given for refusing it.
  std::string refused(const std::string& changed) const {
    const auto loaded = load(changed);
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == ErrorCode::Corruption);
    return loaded.error().message.substr(file().string().size() + 2);
  }

  fs::path directory;
  std::string bytes;
};

/// Puts right both checksums.
std::string sealed(std::string bytes) {
  const XXH128_hash_t body = XXH3_128bits(bytes.data() + kHeaderBytes, bytes.size() - kHeaderBytes);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, body);
  std::memcpy(&bytes[kBodyHash], canonical.digest, sizeof(canonical.digest));
  const std::uint64_t header = XXH3_64bits(bytes.data(), kHeaderHash);
  std::memcpy(&bytes[kHeaderHash], &header, sizeof(header));
  return bytes;
}

template <typename T>
std::string with(std::string bytes, std::size_t at, T value) {
  std::memcpy(&bytes[at], &value, sizeof(value));
  return sealed(std::move(bytes));
}

template <typename T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, &bytes[offset], sizeof(value));
  return value;
}

TEST_CASE("GraphFile: what was saved is what is loaded", "[storage][index]") {
  const Snapshot snapshot;
  REQUIRE(sealed(snapshot.bytes) == snapshot.bytes);
  const auto graph = snapshot.load(snapshot.bytes);
  REQUIRE(graph.ok());
  CHECK((*graph)->count() == kNodes);
  CHECK((*graph)->live() == kNodes - kNodes / 10);
  CHECK((*graph)->shape() == kShape);
  testing::Clusters clusters(kShape.dim, kShape.metric, 3);
  std::vector<float> vector(kShape.dim);
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    CHECK(raw((*graph)->read(i, vector.data())) == i * 3);
    CHECK(vector == clusters.next());
    CHECK((*graph)->contains(Slot{i * 3}));
  }
  REQUIRE(GraphFile::save(**graph, snapshot.file()).ok());
  std::ifstream in(snapshot.file(), std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == snapshot.bytes);
}

TEST_CASE("GraphFile: no file is not a damaged file", "[storage][index]") {
  const auto loaded = GraphFile::load("/nonexistent/graph", kShape);
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == ErrorCode::NotFound);
  const auto directory = GraphFile::load(fs::temp_directory_path(), kShape);
  REQUIRE_FALSE(directory.ok());
  CHECK(directory.error().code == ErrorCode::Unavailable);
}

TEST_CASE("GraphFile: a file that ends early or late is refused at every length",
          "[storage][index]") {
  const Snapshot snapshot;
  const auto& bytes = snapshot.bytes;
  for (std::size_t length = 0; length < bytes.size(); length += length < 100 ? 1 : 97) {
    INFO(length);
    snapshot.refused(bytes.substr(0, length));
  }
  CHECK(snapshot.refused(bytes.substr(0, 10)) == "ends too early");
  snapshot.refused(bytes + 'x');
  CHECK(snapshot.refused(sealed(bytes + 'x')).find("bytes, should be") != std::string::npos);
}

TEST_CASE("GraphFile: every flipped bit of the header is noticed", "[storage][index]") {
  const Snapshot snapshot;
  for (std::size_t bit = 0; bit < kHeaderBytes * 8; ++bit) {
    auto bytes = snapshot.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    INFO(bit);
    snapshot.refused(bytes);
  }
}

TEST_CASE("GraphFile: flipped bits of the body are noticed", "[storage][index]") {
  const Snapshot snapshot;
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    auto bytes = snapshot.bytes;
    const std::size_t at = kHeaderBytes + random() % (bytes.size() - kHeaderBytes);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    CHECK(snapshot.refused(bytes) == "checksum of the body differs");
  }
}

TEST_CASE("GraphFile: each field of the header is checked behind the checksum",
          "[storage][index]") {
  const Snapshot snapshot;
  const auto& bytes = snapshot.bytes;
  CHECK(snapshot.refused(with(bytes, 0, 'X')) == "is not a graph snapshot");
  CHECK(snapshot.refused(with(bytes, 8, 2U)) == "format version 2, known is 1");
  const std::string other = "made for another dimension, metric, m or ef_construction";
  CHECK(snapshot.refused(with(bytes, 12, 7U)) == other);
  CHECK(snapshot.refused(with(bytes, 16, 1U)) == other);
  CHECK(snapshot.refused(with(bytes, 20, 5U)) == other);
  CHECK(snapshot.refused(with(bytes, 24, 100U)) == other);
  CHECK(snapshot.refused(with(bytes, 28, 300U)) == "entry point out of bounds");
  const auto entry = at<std::uint32_t>(bytes, 28);
  CHECK(snapshot.refused(with(bytes, 28, entry == 0 ? 1U : 0U)) ==
        "entry point is not on the top layer");
  CHECK(snapshot.refused(with(bytes, 32, at<std::int32_t>(bytes, 32) + 1)) ==
        "entry point is not on the top layer");
  CHECK(snapshot.refused(with(bytes, 32, -1)) == "entry point is not on the top layer");
  CHECK(snapshot.refused(with(bytes, 36, 1U)) == "header has an unknown field");
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1} << 62, ~std::uint64_t{0},
                                    std::uint64_t{299}, std::uint64_t{301}}) {
    snapshot.refused(with(bytes, 40, count));
  }
  for (const std::uint64_t body : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    snapshot.refused(with(bytes, 48, body));
  }
}

TEST_CASE("GraphFile: no link, level, slot or component is believed", "[storage][index]") {
  const Snapshot snapshot;
  const auto& bytes = snapshot.bytes;
  const std::size_t row = kHeaderBytes + 17 * kRow;
  const std::size_t levels = kHeaderBytes + kNodes * kRow;
  const std::size_t published = levels + kNodes;
  const std::size_t links = published + 5 * 8;
  CHECK(snapshot.refused(with(bytes, row, 9U)) == "node 17 has too many links");
  CHECK(snapshot.refused(with(bytes, row, 0x00010001U)) == "node 17 has too many links");
  CHECK(snapshot.refused(with(bytes, row + 4, 300U)) == "node 17 has a link out of bounds");
  CHECK(snapshot.refused(with(bytes, row + 4, 17U)) == "node 17 has a link out of bounds");
  CHECK(snapshot.refused(with(bytes, row + 36, 0x7F800000U)) ==
        "node 17 has a vector with no value");
  CHECK(snapshot.refused(with(bytes, row + 56, 0xFFC00000U)) ==
        "node 17 has a vector with no value");
  CHECK(snapshot.refused(with(bytes, row + 60, std::uint64_t{1} << 32)) ==
        "node 17 has an impossible slot");
  CHECK(snapshot.refused(with(bytes, row + 60, std::uint64_t{18 * 3})) ==
        "node 18 has an impossible slot");
  CHECK(snapshot.refused(with(bytes, levels + 17, char{100})) == "node 17 has the wrong level");
  CHECK(snapshot.refused(with(bytes, published + 4 * 8 + 7, char{1})) ==
        "more nodes are published than there are");
  CHECK(snapshot.refused(with(bytes, links, 5U)).find("has too many links") != std::string::npos);
  CHECK(snapshot.refused(with(bytes, links, 1U << 16)).find("has too many links") !=
        std::string::npos);

  // A layer's worth of links more, and the header says so.
  std::string longer = bytes + std::string(5 * 4, '\0');
  CHECK(snapshot.refused(with(longer, 48, std::uint64_t{longer.size() - kHeaderBytes})) ==
        "links do not fit the levels");
  longer.pop_back();
  CHECK(snapshot.refused(with(longer, 48, std::uint64_t{longer.size() - kHeaderBytes})) ==
        "body has no whole number of links");
}

TEST_CASE("GraphFile: whatever passes the checks can be searched and grown", "[storage][index]") {
  const Snapshot snapshot;
  std::mt19937 random(5);
  testing::Clusters clusters(kShape.dim, kShape.metric, 9);
  std::size_t accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    auto bytes = snapshot.bytes;
    for (std::uint32_t i = 0; i <= random() % 3; ++i) {
      const std::size_t word = (bytes.size() - kHeaderBytes - 4) / 4;
      const std::size_t at = kHeaderBytes + 4 * (random() % word);
      const auto value = static_cast<std::uint32_t>(random() % 4 == 0 ? random() : random() % 320);
      std::memcpy(&bytes[at], &value, sizeof(value));
    }
    const auto graph = snapshot.load(sealed(std::move(bytes)));
    if (!graph.ok()) {
      REQUIRE(graph.error().code == ErrorCode::Corruption);
      continue;
    }
    ++accepted;
    const auto query = clusters.next();
    std::vector<Neighbor> found;
    REQUIRE((*graph)->walk({}, {.vector = query.data(), .ef = 50, .budget = 10'000}, found).ok());
    (*graph)->begin_inserts();
    for (std::uint32_t i = 0; i < 20; ++i) {
      REQUIRE((*graph)->insert(Slot{10'000 + i}, clusters.next().data()).ok());
    }
  }
  CHECK(accepted > 100);
}

}  // namespace
}  // namespace quiver::storage
