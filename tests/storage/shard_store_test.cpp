#include "storage/shard_store.h"

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

struct Fixture {
  ScratchDirectory scratch{ScratchDirectory::Where::Memory};
  ManualClock clock;
  CollectionSpec spec = spec_of(2);
  ShardStore store{scratch / "data", Options{}, clock};

  const CopyId copy{std::string(32, 'c')};

  std::unique_ptr<Shard> open(std::uint32_t shard = 0) {
    auto opened = store.create(spec, ShardId{shard}, copy);
    REQUIRE(error_of(opened) == "");
    return std::move(*opened);
  }
  void write(Shard& shard, std::uint64_t id) {
    LogEntry entry;
    entry.seq = next(shard.tail().seq);
    entry.mutation = UpsertPoints{{point_of(PointId(id), {1, 2})}};
    REQUIRE(shard.append(std::vector{entry}).ok());
    REQUIRE(shard.apply_through(entry.seq).ok());
  }
};

}  // namespace

TEST_CASE("ShardStore: touches no file before it is asked", "[storage][store]") {
  Fixture f;
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data"));
  CHECK(f.store.sweep().ok());
  CHECK(f.store.bury_collection(f.spec.id).ok());
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data"));
}

TEST_CASE("ShardStore: keeps shards apart, each open once", "[storage][store]") {
  Fixture f;
  f.spec.shard_count = 2;
  {
    const auto first = f.open(0);
    const auto second = f.open(1);
    f.write(*first, 1);
    const auto again = f.store.create(f.spec, ShardId{0}, f.copy);
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().code == ErrorCode::FailedPrecondition);
    CHECK(again.error().message.find("open already") != std::string::npos);
    CHECK(second->stats().points == 0);
  }
  CHECK(f.open(0)->stats().points == 1);
  CHECK(
      std::filesystem::exists(f.scratch / "data" / f.spec.id / ("1." + f.copy.text) / "MANIFEST"));
}

TEST_CASE("ShardStore: a shard that could not be opened may be tried again", "[storage][store]") {
  Fixture f;
  { const auto shard = f.open(); }
  auto other = f.spec;
  other.dimension = 3;
  CHECK(f.store.create(other, ShardId{0}, f.copy).error().code == ErrorCode::FailedPrecondition);
  CHECK(f.store.create(f.spec, ShardId{0}, f.copy).ok());
}

TEST_CASE("ShardStore: a dropped collection is gone", "[storage][store]") {
  Fixture f;
  {
    const auto shard = f.open();
    f.write(*shard, 1);
    const auto refused = f.store.bury_collection(f.spec.id);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::FailedPrecondition);
    CHECK(shard->stats().points == 1);
  }
  REQUIRE(error_of(f.store.bury_collection(f.spec.id)) == "");
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data" / f.spec.id));
  REQUIRE(f.store.sweep().ok());
  CHECK(std::filesystem::is_empty(f.scratch / "data" / "trash"));
  CHECK(f.store.bury_collection(f.spec.id).ok());
  CHECK(f.open()->stats().points == 0);
}

TEST_CASE("ShardStore: a trash that cannot be read is an error, not the end", "[storage][store]") {
  Fixture f;
  std::filesystem::create_directories(f.scratch / "data");
  std::ofstream(f.scratch / "data" / "trash") << "no directory";
  CHECK(f.store.sweep().error().code == ErrorCode::Unavailable);
}

TEST_CASE("ShardStore: a buried collection is gone at once, its files with the trash",
          "[storage][store]") {
  Fixture f;
  { f.write(*f.open(), 1); }
  REQUIRE(error_of(f.store.bury_collection(f.spec.id)) == "");
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data" / f.spec.id));
  CHECK(f.store.collections()->empty());
  CHECK_FALSE(std::filesystem::is_empty(f.scratch / "data" / "trash"));
  CHECK(f.store.sweep().ok());
  CHECK(std::filesystem::is_empty(f.scratch / "data" / "trash"));
}

TEST_CASE("ShardStore: a removal that a crash interrupted is finished", "[storage][store]") {
  Fixture f;
  { f.write(*f.open(), 1); }
  // Renamed, and not removed yet.
  std::filesystem::create_directories(f.scratch / "data" / "trash");
  std::filesystem::rename(f.scratch / "data" / f.spec.id, f.scratch / "data" / "trash" / f.spec.id);
  REQUIRE(f.store.sweep().ok());
  CHECK(std::filesystem::is_empty(f.scratch / "data" / "trash"));
  CHECK(f.open()->stats().points == 0);
}

TEST_CASE("ShardStore: an id that is no id never becomes a path", "[storage][store]") {
  Fixture f;
  for (const std::string id : {"", "..", "../../etc", "trash", "A0000000000000000000000000000000",
                               "/0000000000000000000000000000000"}) {
    auto spec = f.spec;
    spec.id = id;
    CHECK(f.store.create(spec, ShardId{0}, f.copy).error().code == ErrorCode::InvalidArgument);
    CHECK(f.store.bury_collection(id).error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("ShardStore: a root that cannot be made is a clear error", "[storage][store]") {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "file") << "x";
  const ManualClock clock;
  ShardStore store(scratch / "file" / "data", Options{}, clock);
  const auto opened = store.create(spec_of(2), ShardId{0}, {std::string(32, 'c')});
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::Unavailable);
  CHECK(opened.error().message.find("the shard") != std::string::npos);
}

TEST_CASE("ShardStore: a copy that should be here and is not is no empty shard",
          "[storage][store]") {
  Fixture f;
  const auto missing = f.store.open(f.spec, ShardId{0}, f.copy);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::Corruption);
  CHECK(missing.error().message.find("not there") != std::string::npos);
  { f.write(*f.open(), 1); }
  CHECK((*f.store.open(f.spec, ShardId{0}, f.copy))->stats().points == 1);
}

TEST_CASE("ShardStore: buries one copy and leaves its neighbours", "[storage][store]") {
  Fixture f;
  f.spec.shard_count = 2;
  {
    const auto first = f.open(0);
    f.write(*f.open(1), 1);
    CHECK(f.store.bury({f.spec.id, ShardId{0}, f.copy}).error().code ==
          ErrorCode::FailedPrecondition);
  }
  const ShardPlace first{f.spec.id, ShardId{0}, f.copy};
  const ShardPlace second{f.spec.id, ShardId{1}, f.copy};
  CHECK(*f.store.copies() == std::vector{first, second});
  REQUIRE(f.store.bury(first).ok());
  CHECK(f.store.bury(first).ok());
  CHECK(*f.store.copies() == std::vector{second});
  CHECK((*f.store.open(f.spec, ShardId{1}, f.copy))->stats().points == 1);
  REQUIRE(f.store.bury(second).ok());
  CHECK(f.store.collections()->empty());
}

TEST_CASE("ShardStore: copies of one collection are buried at the same time", "[storage][store]") {
  Fixture f;
  f.spec.shard_count = 2;
  const CopyId other{std::string(32, 'd')};
  const std::vector<ShardPlace> places{{f.spec.id, ShardId{0}, f.copy},
                                       {f.spec.id, ShardId{1}, other}};
  REQUIRE(error_of(f.store.create(f.spec, ShardId{0}, f.copy)) == "");
  REQUIRE(error_of(f.store.create(f.spec, ShardId{1}, other)) == "");
  std::vector<std::filesystem::path> directories;
  for (const auto& entry : std::filesystem::directory_iterator(f.scratch / "data" / f.spec.id)) {
    directories.push_back(entry.path());
  }
  REQUIRE(directories.size() == 2);
  for (int round = 0; round < 300; ++round) {
    for (const auto& directory : directories) std::filesystem::create_directories(directory);
    std::atomic<int> ready{0};
    std::vector<std::string> problems(places.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < places.size(); ++i) {
      threads.emplace_back([&, i] {
        ++ready;
        while (ready < 2) std::this_thread::yield();
        problems[i] = error_of(f.store.bury(places[i]));
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& problem : problems) REQUIRE(problem == "");
    REQUIRE(f.store.collections()->empty());
  }
}

TEST_CASE("ShardStore: a checkpoint that was received is a copy with the same points",
          "[storage][store]") {
  Fixture f;
  const CopyId arrived{std::string(32, 'd')};
  {
    const auto shard = f.open();
    f.write(*shard, 1);
    f.write(*shard, 2);
    const auto position = shard->checkpoint(f.scratch / "checkpoint");
    REQUIRE(error_of(position) == "");
    CHECK(position->seq == Seq{2});
    f.write(*shard, 3);
  }
  const auto incoming = f.store.prepare_incoming(arrived);
  REQUIRE(error_of(incoming) == "");
  std::filesystem::copy(f.scratch / "checkpoint", *incoming,
                        std::filesystem::copy_options::recursive);
  REQUIRE(error_of(f.store.adopt(f.spec, ShardId{0}, arrived)) == "");
  CHECK(f.store.adopt(f.spec, ShardId{0}, arrived).ok());
  auto copied = f.store.open(f.spec, ShardId{0}, arrived);
  REQUIRE(error_of(copied) == "");
  REQUIRE((*copied)->apply_through((*copied)->tail().seq).ok());
  CHECK((*copied)->stats().points == 2);
  CHECK(f.open()->tail().seq == Seq{3});
}

TEST_CASE("ShardStore: files that are no shard are not taken over", "[storage][store]") {
  Fixture f;
  const CopyId arrived{std::string(32, 'd')};
  const auto incoming = f.store.prepare_incoming(arrived);
  REQUIRE(incoming.ok());
  std::ofstream(*incoming / "rubbish") << "x";
  CHECK(f.store.adopt(f.spec, ShardId{0}, arrived).error().code == ErrorCode::Corruption);
  CHECK(f.store.copies()->empty());
}
