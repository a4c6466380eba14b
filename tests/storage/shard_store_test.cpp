#include "storage/shard_store.h"

#include <fstream>

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

  std::unique_ptr<Shard> open(std::uint32_t shard = 0) {
    auto opened = store.open(spec, ShardId{shard});
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
  CHECK(f.store.drop_collection(f.spec.id).ok());
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data"));
}

TEST_CASE("ShardStore: keeps shards apart, each open once", "[storage][store]") {
  Fixture f;
  f.spec.shard_count = 2;
  {
    const auto first = f.open(0);
    const auto second = f.open(1);
    f.write(*first, 1);
    const auto again = f.store.open(f.spec, ShardId{0});
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().code == ErrorCode::FailedPrecondition);
    CHECK(again.error().message.find("open already") != std::string::npos);
    CHECK(second->stats().points == 0);
  }
  CHECK(f.open(0)->stats().points == 1);
  CHECK(std::filesystem::exists(f.scratch / "data" / f.spec.id / "1" / "MANIFEST"));
}

TEST_CASE("ShardStore: a shard that could not be opened may be tried again", "[storage][store]") {
  Fixture f;
  { const auto shard = f.open(); }
  auto other = f.spec;
  other.dimension = 3;
  CHECK(f.store.open(other, ShardId{0}).error().code == ErrorCode::FailedPrecondition);
  CHECK(f.store.open(f.spec, ShardId{0}).ok());
}

TEST_CASE("ShardStore: a dropped collection is gone", "[storage][store]") {
  Fixture f;
  {
    const auto shard = f.open();
    f.write(*shard, 1);
    const auto refused = f.store.drop_collection(f.spec.id);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::FailedPrecondition);
    CHECK(shard->stats().points == 1);
  }
  REQUIRE(error_of(f.store.drop_collection(f.spec.id)) == "");
  CHECK_FALSE(std::filesystem::exists(f.scratch / "data" / f.spec.id));
  CHECK(std::filesystem::is_empty(f.scratch / "data" / "trash"));
  CHECK(f.store.drop_collection(f.spec.id).ok());
  CHECK(f.open()->stats().points == 0);
}

TEST_CASE("ShardStore: a trash that cannot be read is an error, not the end", "[storage][store]") {
  Fixture f;
  std::filesystem::create_directories(f.scratch / "data");
  std::ofstream(f.scratch / "data" / "trash") << "no directory";
  CHECK(f.store.sweep().error().code == ErrorCode::Unavailable);
}

TEST_CASE("ShardStore: a discarded collection is gone at once, its files with the trash",
          "[storage][store]") {
  Fixture f;
  { f.write(*f.open(), 1); }
  REQUIRE(error_of(f.store.discard_collection(f.spec.id)) == "");
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
    CHECK(f.store.open(spec, ShardId{0}).error().code == ErrorCode::InvalidArgument);
    CHECK(f.store.drop_collection(id).error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("ShardStore: a root that cannot be made is a clear error", "[storage][store]") {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "file") << "x";
  const ManualClock clock;
  ShardStore store(scratch / "file" / "data", Options{}, clock);
  const auto opened = store.open(spec_of(2), ShardId{0});
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::Unavailable);
  CHECK(opened.error().message.find("the shard") != std::string::npos);
}
