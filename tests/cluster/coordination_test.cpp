// What a CoordinationStore promises: transactions decide, and what they decided stays decided.

#include <filesystem>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

std::unique_ptr<EmbeddedStore> open_in(const TempDir& dir) {
  auto store = EmbeddedStore::open(dir.path() / "meta");
  REQUIRE(store.ok());
  return std::move(store).value();
}

TEST_CASE("EmbeddedStore: a key is made once", "[cluster][coordination]") {
  const TempDir dir;
  auto store = open_in(dir);
  CHECK(*store->txn({}, {{"a", Revision{0}}}, {{"a", "1"}}) == TxnOutcome::Done);
  CHECK(*store->txn({}, {{"a", Revision{0}}}, {{"a", "2"}}) == TxnOutcome::Conflict);
  const auto entry = store->get({}, "a");
  REQUIRE(entry.ok());
  REQUIRE(entry->has_value());
  CHECK((*entry)->value == "1");
}

TEST_CASE("EmbeddedStore: a change needs the revision that was read", "[cluster][coordination]") {
  const TempDir dir;
  auto store = open_in(dir);
  REQUIRE(store->txn({}, {}, {{"a", "1"}}).ok());
  const Revision read = (*store->get({}, "a"))->revision;
  CHECK(*store->txn({}, {{"a", read}}, {{"a", "2"}}) == TxnOutcome::Done);
  CHECK(*store->txn({}, {{"a", read}}, {{"a", "3"}}) == TxnOutcome::Conflict);
  CHECK((*store->get({}, "a"))->value == "2");
}

TEST_CASE("EmbeddedStore: a refused transaction writes none of its keys",
          "[cluster][coordination]") {
  const TempDir dir;
  auto store = open_in(dir);
  REQUIRE(store->txn({}, {}, {{"a", "1"}}).ok());
  CHECK(*store->txn({}, {{"b", Revision{0}}, {"a", Revision{0}}}, {{"b", "x"}, {"a", "x"}}) ==
        TxnOutcome::Conflict);
  CHECK_FALSE((*store->get({}, "b")).has_value());
}

TEST_CASE("EmbeddedStore: lists a prefix in order and forgets removed keys",
          "[cluster][coordination]") {
  const TempDir dir;
  auto store = open_in(dir);
  REQUIRE(store->txn({}, {}, {{"n/b", "2"}, {"n/a", "1"}, {"o", "3"}, {"n/c", "4"}}).ok());
  REQUIRE(store->txn({}, {}, {{"n/c", std::nullopt}}).ok());
  const auto entries = store->list({}, "n/");
  REQUIRE(entries.ok());
  REQUIRE(entries->entries.size() == 2);
  CHECK(entries->entries[0].key == "n/a");
  CHECK(entries->entries[1].value == "2");
}

TEST_CASE("EmbeddedStore: entries and revisions survive a restart", "[cluster][coordination]") {
  const TempDir dir;
  Revision before{0};
  {
    auto store = open_in(dir);
    REQUIRE(store->txn({}, {}, {{"a", "1"}}).ok());
    before = (*store->get({}, "a"))->revision;
  }
  auto store = open_in(dir);
  CHECK((*store->get({}, "a"))->revision == before);
  REQUIRE(store->txn({}, {}, {{"a", "2"}}).ok());
  CHECK((*store->get({}, "a"))->revision > before);
}

}  // namespace
}  // namespace quiver::cluster
