#include "cluster/founding.h"

#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/local_collections.h"
#include "cluster/membership_file.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

void make(const std::filesystem::path& dir, const Clock& clock, const std::string& name) {
  LocalCollections alone(dir, storage::Options{}, clock);
  CollectionSpec spec;
  spec.name = name;
  spec.dimension = 3;
  spec.shard_count = 2;
  REQUIRE(alone.create(CallContext{}, spec).ok());
}

TEST_CASE("move_in: a copy of a member's directory is refused, and stays as it was", "[cluster]") {
  const TempDir dir;
  const ManualClock clock;
  const auto own = dir.path() / "own";
  const auto copy = dir.path() / "copy";
  make(own, clock, "notes");
  std::filesystem::copy(own, copy, std::filesystem::copy_options::recursive);
  const auto store = EmbeddedStore::open(dir.path() / "cluster").value();
  // Each collection, its name, and its shards.
  CHECK(move_in(CallContext{}, own, *store, clock, "pond")->copied == 4);
  const auto refused = move_in(CallContext{}, copy, *store, clock, "pond");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(refused.error().message, Catch::Contains("it is a copy of the directory"));
  CHECK_FALSE(MembershipFile::read(copy).value());
  {
    LocalCollections alone(copy, storage::Options{}, clock);
    CHECK(alone.list()->size() == 1);
  }
  // Not so one that has nothing to do with it; and again is no harm.
  const auto other = dir.path() / "other";
  make(other, clock, "more");
  CHECK(move_in(CallContext{}, other, *store, clock, "pond")->copied == 4);
  CHECK(move_in(CallContext{}, own, *store, clock, "pond")->copied == 0);
}

}  // namespace
}  // namespace quiver::cluster
