#include "storage/kv_store.h"

#include <fstream>

#include "tests/storage/scratch.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("KvStore: keeps what was written, in order of key", "[storage][kv]") {
  const ScratchDirectory scratch;
  {
    const auto store = KvStore::open(scratch / "a" / "meta");
    REQUIRE(store.ok());
    CHECK_FALSE((*store)->get("x")->has_value());
    REQUIRE((*store)->write({{"c/2", "two"}, {"c/1", "one"}, {"d", ""}}).ok());
    REQUIRE((*store)->write({{"c/2", std::nullopt}, {"c/3", "three"}}).ok());
  }
  const auto store = KvStore::open(scratch / "a" / "meta");
  REQUIRE(store.ok());
  CHECK((*store)->list("c/").value() == Pairs{{"c/1", "one"}, {"c/3", "three"}});
  CHECK((*store)->list("").value() == Pairs{{"c/1", "one"}, {"c/3", "three"}, {"d", ""}});
  CHECK((*store)->list("e").value().empty());
  CHECK((*store)->get("c/3").value() == "three");
  CHECK((*store)->get("d").value() == "");
}

TEST_CASE("KvStore: the later of two writes to a key in one batch wins", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto store = KvStore::open(scratch / "meta");
  REQUIRE(store.ok());
  REQUIRE((*store)->write({{"k", "1"}, {"k", std::nullopt}, {"k", "2"}}).ok());
  CHECK((*store)->get("k").value() == "2");
  REQUIRE((*store)->write({}).ok());
}

TEST_CASE("KvStore: is open once", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto store = KvStore::open(scratch / "meta");
  REQUIRE(store.ok());
  const auto second = KvStore::open(scratch / "meta");
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::Unavailable);
}

TEST_CASE("KvStore: a directory that cannot be is a clear error", "[storage][kv]") {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "file") << "x";
  const auto store = KvStore::open(scratch / "file" / "meta");
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().code == ErrorCode::Unavailable);
  CHECK(store.error().message.find("the metadata directory") != std::string::npos);
}
