// Whatever happens to the bytes of a shard on disk: the answers are right, or there are none. The
// truth is what was acknowledged before.

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include <spdlog/spdlog.h>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

constexpr std::uint64_t kPoints = 400;
constexpr int kRounds = 120;

class Quiet {
 public:
  Quiet() { spdlog::set_level(spdlog::level::off); }
  ~Quiet() { spdlog::set_level(spdlog::level::info); }
};

Options small_options() {
  Options options;
  options.exact_search_points = 50;
  options.write_buffer_bytes = 64 << 10;
  return options;
}

/// A shard with tables, a write-ahead log, a snapshot, replaced and erased points.
class Original {
 public:
  explicit Original(const std::filesystem::path& directory)
      : shard_(directory / "original", spec_of(4), small_options()) {
    REQUIRE(error_of(shard_.open()) == "");
    for (std::uint64_t id = 0; id < kPoints; id += 20) {
      write(id, 20);
      if (id == kPoints / 4) REQUIRE(error_of(shard_->flush_index(CallContext{})) == "");
      if (id == kPoints / 2) {
        write(0, 30);
        erase(30, 15);
        REQUIRE(error_of(shard_->flush_index(CallContext{})) == "");
      }
    }
    write(100, 10);
    erase(200, 10);
    // What the disk would hold if the process died now.
    REQUIRE(error_of(shard_.crash()) == "");
    write(300, 10);
    keep(directory / "kept");
    kept_ = directory / "kept";
  }

  void copy_to(const std::filesystem::path& to) const {
    std::filesystem::copy(kept_, to, std::filesystem::copy_options::recursive);
  }
  const std::map<PointId, Point>& points() const { return points_; }

 private:
  /// A copy counts if the database changed nothing in the background meanwhile.
  void keep(const std::filesystem::path& to) {
    std::map<std::string, std::uintmax_t> before;
    std::error_code gone;
    do {
      before = files();
      std::filesystem::remove_all(to);
      gone.clear();
      std::filesystem::copy(shard_.directory(), to, std::filesystem::copy_options::recursive, gone);
    } while (gone || before != files());
  }
  std::map<std::string, std::uintmax_t> files() const {
    std::map<std::string, std::uintmax_t> out;
    std::error_code gone;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(shard_.directory(), gone)) {
      out[entry.path().string()] = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    }
    return out;
  }
  void write(std::uint64_t first, std::uint64_t count) {
    UpsertPoints upsert;
    for (std::uint64_t id = first; id < first + count; ++id) {
      auto point = point_of(PointId(id), some_vector(), {{"n", id}, {"version", ++version_}});
      point.text = std::string(300, static_cast<char>('a' + version_ % 26));
      points_.insert_or_assign(point.id, point);
      upsert.points.push_back(std::move(point));
    }
    REQUIRE(error_of(shard_.write(std::move(upsert))) == "");
  }
  void erase(std::uint64_t first, std::uint64_t count) {
    ErasePoints erase;
    for (std::uint64_t id = first; id < first + count; ++id) {
      erase.ids.push_back(PointId(id));
      points_.erase(PointId(id));
    }
    REQUIRE(error_of(shard_.write(std::move(erase))) == "");
  }
  std::vector<float> some_vector() {
    std::vector<float> vector(4);
    for (auto& x : vector) x = static_cast<float>(random_() % 1000);
    return vector;
  }

  TestShard shard_;
  std::filesystem::path kept_;
  std::map<PointId, Point> points_;
  std::mt19937 random_{3};
  std::uint64_t version_ = 0;
};

/// Harms one file; says how.
std::string harm(const std::filesystem::path& directory, std::mt19937& random) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.file_size() > 0) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  const auto& file = files[random() % files.size()];
  const auto size = std::filesystem::file_size(file);
  const auto at = random() % size;
  const auto name = file.filename().string() + " at " + std::to_string(at) + ": ";
  if (random() % 8 == 0) {
    std::filesystem::remove(file);
    return name + "removed";
  }
  if (random() % 4 == 0) {
    std::filesystem::resize_file(file, at);
    return name + "cut";
  }
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  if (random() % 4 == 0) {
    const auto count = std::min<std::uintmax_t>(size - at, 1 + random() % 64);
    stream.seekp(static_cast<std::streamoff>(at));
    stream << std::string(count, '\0');
    return name + "zeroed";
  }
  stream.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(stream.get() ^ (1 << random() % 8));
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(byte);
  return name + "flipped";
}

/// An error is an answer, if it says what is wrong and does not blame the caller.
template <typename T>
bool answered(const Result<T>& result) {
  if (result.ok()) return true;
  CAPTURE(result.error().message);
  CHECK_FALSE(result.error().message.empty());
  const auto code = result.error().code;
  const bool right = code == ErrorCode::Corruption || code == ErrorCode::Unavailable ||
                     code == ErrorCode::FailedPrecondition;
  CHECK(right);
  return false;
}

void check_points(TestShard& shard, const std::map<PointId, Point>& truth) {
  std::vector<PointId> ids;
  for (std::uint64_t id = 0; id < kPoints; ++id) ids.push_back(PointId(id));
  const auto got = shard->get(ids, {.payload = true, .text = true, .vector = true});
  if (answered(got)) {
    REQUIRE(got->size() == truth.size());
    for (const auto& point : *got) {
      const auto& want = truth.at(point.id);
      REQUIRE(point.payload == want.payload);
      REQUIRE(point.text == want.text);
      REQUIRE(point.vector == want.vector);
    }
  }
  ScrollQuery all;
  all.limit = 2 * kPoints;
  all.projection = {.payload = true, .text = false, .vector = false};
  const auto scrolled = shard->scroll(CallContext{}, all);
  if (answered(scrolled)) {
    REQUIRE(scrolled->size() == truth.size());
    auto want = truth.begin();
    for (const auto& point : *scrolled) REQUIRE(point.id == (want++)->first);
  }
  const auto count = shard->count(CallContext{}, *Filter::parse({{"n", {{"$lt", 120}}}}));
  if (answered(count)) {
    const auto below = std::count_if(truth.begin(), truth.end(), [](const auto& entry) {
      return entry.second.payload.at("n") < 120;
    });
    REQUIRE(*count == static_cast<std::uint64_t>(below));
  }
}

void check_searches(TestShard& shard, const std::map<PointId, Point>& truth) {
  for (int i = 0; i < 3; ++i) {
    ShardQuery query;
    query.vector = {static_cast<float>(300 * i), 500, 200, 700};
    query.exact = true;
    std::vector<std::pair<float, PointId>> nearest;
    for (const auto& [id, point] : truth) {
      float sum = 0;
      for (std::size_t d = 0; d < 4; ++d) {
        sum += (point.vector[d] - query.vector[d]) * (point.vector[d] - query.vector[d]);
      }
      nearest.emplace_back(sum, id);
    }
    std::sort(nearest.begin(), nearest.end());
    const auto hits = shard->search(CallContext{}, query);
    if (!answered(hits)) continue;
    REQUIRE(hits->size() == 10);
    for (std::size_t n = 0; n < 10; ++n) REQUIRE((*hits)[n].point.id == nearest[n].second);
  }
}

}  // namespace

TEST_CASE("damage: the answers of a harmed shard are right, or errors", "[storage][damage]") {
  const Quiet quiet;
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  const Original original(scratch.path());
  std::mt19937 random(20);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto directory = scratch / "harmed";
    std::filesystem::remove_all(directory);
    original.copy_to(directory);
    const auto how = harm(directory, random);
    CAPTURE(round, how);
    TestShard shard(directory, spec_of(4), small_options());
    if (const auto opened = shard.open(); !answered(opened)) {
      ++refused;
      continue;
    }
    check_points(shard, original.points());
    check_searches(shard, original.points());
    if (answered(shard.write(UpsertPoints{{point_of(PointId(7), {1, 2, 3, 4})}}))) {
      const auto got = shard->get(std::vector{PointId(7)}, {.vector = true});
      if (answered(got)) CHECK(got->at(0).vector == std::vector<float>{1, 2, 3, 4});
    }
  }
  // Much of a shard must be whole, and some of it can be made anew.
  CHECK(refused > 0);
  CHECK(refused < kRounds);
}
