// Disks that are full, fail or may not be written to: real small file systems where this machine
// lets us mount them, injected faults everywhere.

#include <csignal>
#include <fstream>
#include <random>

#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

UpsertPoints big_point(std::uint64_t id) {
  UpsertPoints out;
  out.points.push_back(point_of(PointId(id), {1, static_cast<float>(id)}));
  // Does not compress.
  std::mt19937 random(static_cast<std::uint32_t>(id));
  std::string text(50'000, ' ');
  for (auto& c : text) c = static_cast<char>('!' + random() % 90);
  out.points[0].text = std::move(text);
  return out;
}

/// A file system of its own in memory; absent where mounting is not allowed.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) : path_(scratch_ / "disk") {
    std::filesystem::create_directory(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) (void)::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool set_read_only(bool read_only) {
    return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | (read_only ? MS_RDONLY : 0),
                   nullptr) == 0;
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  ScratchDirectory scratch_;
  std::filesystem::path path_;
  bool mounted_ = false;
};

class Quiet {
 public:
  Quiet() { spdlog::set_level(spdlog::level::err); }
  ~Quiet() { spdlog::set_level(spdlog::level::info); }
};

/// Writes until one fails; the number that succeeded.
std::uint64_t write_until_refused(TestShard& shard, std::uint64_t from, Error& refusal) {
  for (std::uint64_t id = from; id < from + 10'000; ++id) {
    const auto result = shard.write(big_point(id));
    if (result.ok()) continue;
    refusal = result.error();
    return id - from;
  }
  FAIL("the disk never got full");
  return 0;
}

void check_points(TestShard& shard, std::uint64_t acknowledged) {
  std::vector<PointId> ids;
  for (std::uint64_t id = 1; id <= acknowledged; ++id) ids.push_back(PointId(id));
  const auto points = shard->get(ids, {});
  REQUIRE(error_of(points) == "");
  CHECK(points->size() == acknowledged);
}

}  // namespace

TEST_CASE("faults: a full disk refuses writes, loses none, and heals when opened anew",
          "[storage][faults]") {
  const Quiet quiet;
  const SmallDisk disk("size=12m");
  if (!disk.mounted()) {
    WARN("no right to mount: skipped");
    return;
  }
  // Room that is freed later.
  std::ofstream(disk / "ballast") << std::string(6 << 20, 'x');
  Options options;
  options.write_buffer_bytes = 1 << 20;
  options.log_bytes_kept = 256 << 10;
  TestShard shard(disk / "shard", spec_of(2), options);
  REQUIRE(error_of(shard.open()) == "");
  Error refusal{ErrorCode::Internal, ""};
  const auto acknowledged = write_until_refused(shard, 1, refusal);
  INFO(acknowledged << " writes, then: " << refusal.message);
  CHECK(refusal.code == ErrorCode::ResourceExhausted);
  CHECK(refusal.message.find("disk is full") != std::string::npos);
  CHECK(acknowledged > 10);
  // Reading goes on; writing does not.
  check_points(shard, acknowledged);
  const auto again = shard.write(big_point(99'999));
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().code == ErrorCode::ResourceExhausted);

  CHECK(again.error().message.find("free space and repeat the write") != std::string::npos);
  CHECK_FALSE(shard->heals_when_opened());
  std::filesystem::remove(disk / "ballast");
  CHECK(shard->heals_when_opened());
  CHECK(std::filesystem::directory_iterator(shard.directory()) !=
        std::filesystem::directory_iterator());
  CHECK_FALSE(std::filesystem::exists(shard.directory() / "room.probe"));
  shard.close();
  REQUIRE(error_of(shard.open()) == "");
  CHECK_FALSE(shard->heals_when_opened());
  check_points(shard, acknowledged);
  CHECK(error_of(shard.write(big_point(99'999))) == "");
  REQUIRE(error_of(shard.crash()) == "");
  check_points(shard, acknowledged);
}

TEST_CASE("faults: a disk without room for a shard says so", "[storage][faults]") {
  const Quiet quiet;
  const SmallDisk disk("size=64k");
  if (!disk.mounted()) {
    WARN("no right to mount: skipped");
    return;
  }
  std::ofstream(disk / "ballast") << std::string(64 << 10, 'x');
  TestShard shard(disk / "shard", spec_of(2), Options{});
  const auto opened = shard.open();
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::ResourceExhausted);
  std::filesystem::remove(disk / "ballast");
  CHECK(error_of(shard.open()) == "");
}

TEST_CASE("faults: a read-only disk says which part could not be written", "[storage][faults]") {
  const Quiet quiet;
  SmallDisk disk("size=12m");
  if (!disk.mounted()) {
    WARN("no right to mount: skipped");
    return;
  }
  TestShard shard(disk / "shard", spec_of(2), Options{});
  REQUIRE(shard.open().ok());
  REQUIRE(shard.write(big_point(1)).ok());
  shard.close();
  REQUIRE(disk.set_read_only(true));
  const auto opened = shard.open();
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::Unavailable);
  CHECK(opened.error().message.find("cannot open the database") == 0);
  TestShard other(disk / "other", spec_of(2), Options{});
  const auto made = other.open();
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code == ErrorCode::Unavailable);
  CHECK(made.error().message.find("cannot make the shard directory") == 0);
  REQUIRE(disk.set_read_only(false));
  REQUIRE(error_of(shard.open()) == "");
  check_points(shard, 1);
}

TEST_CASE("faults: after a failed sync the shard reads on and writes only when opened anew",
          "[storage][faults]") {
  const Quiet quiet;
  const ScratchDirectory scratch;
  Faults faults;
  const auto files = faulty_environment(faults);
  TestShard shard(scratch / "shard", spec_of(2), Options{}, files.get());
  REQUIRE(error_of(shard.open()) == "");
  REQUIRE(shard.write(big_point(1)).ok());
  faults.sync_fails = true;
  const auto failed = shard.write(big_point(2));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::Unavailable);
  CHECK(shard->tail().seq == Seq{1});
  CHECK(shard->stats().points == 1);
  faults.sync_fails = false;
  const auto refused = shard.write(big_point(3));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::Unavailable);
  CHECK(refused.error().message.find("opened anew") != std::string::npos);
  CHECK_FALSE(shard->apply_through(Seq{1}).ok());
  check_points(shard, 1);
  // What was refused is not done, although the disk may hold all of it.
  REQUIRE(error_of(shard.open()) == "");
  CHECK(shard->tail().seq == Seq{1});
  CHECK(shard->stats().points == 1);
  check_points(shard, 1);
  CHECK(shard.write(big_point(3)).ok());
  REQUIRE(error_of(shard.open()) == "");
  CHECK(shard->tail().seq == Seq{2});
  CHECK(shard->stats().points == 2);
}

TEST_CASE("faults: a state that cannot be flushed is replayed from the log", "[storage][faults]") {
  const Quiet quiet;
  const ScratchDirectory scratch;
  Faults faults;
  const auto files = faulty_environment(faults);
  Options options;
  options.write_buffer_bytes = 256 << 10;
  TestShard shard(scratch / "shard", spec_of(2), options, files.get());
  REQUIRE(error_of(shard.open()) == "");
  for (std::uint64_t id = 1; id <= 3; ++id) REQUIRE(shard.write(big_point(id)).ok());
  faults.disk_full = true;
  const auto flushed = shard->flush_index(CallContext{});
  REQUIRE_FALSE(flushed.ok());
  CHECK(flushed.error().code == ErrorCode::ResourceExhausted);
  const auto refused = shard.write(big_point(4));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::ResourceExhausted);
  shard.close();
  faults.disk_full = false;
  REQUIRE(error_of(shard.open()) == "");
  check_points(shard, 3);
}

TEST_CASE("faults: a file that may not grow is a full disk", "[storage][faults]") {
  // The limit holds for a whole process: a child takes it.
  const ScratchDirectory scratch;
  const auto child = ::fork();
  if (child == 0) {
    spdlog::set_level(spdlog::level::off);
    (void)::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300'000, 300'000};
    (void)::setrlimit(RLIMIT_FSIZE, &limit);
    TestShard shard(scratch / "shard", spec_of(2), Options{});
    if (!shard.open().ok()) ::_exit(10);
    for (std::uint64_t id = 1; id < 100; ++id) {
      const auto result = shard.write(big_point(id));
      if (result.ok()) continue;
      ::_exit(result.error().code == ErrorCode::ResourceExhausted && id > 2 ? 0 : 11);
    }
    ::_exit(12);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  TestShard shard(scratch / "shard", spec_of(2), Options{});
  REQUIRE(error_of(shard.open()) == "");
  CHECK(shard->stats().points >= 3);
}
