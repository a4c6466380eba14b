// Migration between stores: against what was put in, also when the target does not answer.

#include <functional>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/coordination/migrate.h"
#include "tests/cluster/coordination_suite.h"
#include "tests/cluster/etcd_cluster.h"

namespace quiver::cluster {
namespace {

using Known = std::map<std::string, std::string>;

std::unique_ptr<EmbeddedStore> embedded(const TempDir& dir, const std::string& name) {
  auto store = EmbeddedStore::open(dir.path() / name);
  REQUIRE(store.ok());
  return std::move(*store);
}

void put(CoordinationStore& store, const std::string& key, const std::string& value) {
  const auto done = store.txn({}, {}, {{key, value}});
  REQUIRE(done.ok());
  REQUIRE(*done == TxnOutcome::Done);
}

Known fill(CoordinationStore& store, int count) {
  Known all;
  for (int i = 0; i < count; ++i) {
    const std::string key = "k/" + std::to_string(1000 + i);
    all[key] = "value " + std::to_string(i);
    put(store, key, all[key]);
  }
  return all;
}

Known all(CoordinationStore& store) {
  const auto listing = store.list({}, "");
  REQUIRE(listing.ok());
  Known out;
  for (const auto& entry : listing->entries) out[entry.key] = entry.value;
  return out;
}

/// A store whose transactions pass through a hand that may change their outcomes.
class Handed final : public CoordinationStore {
 public:
  using Txn = std::function<Result<TxnResult>()>;
  Handed(CoordinationStore& store, std::function<Result<TxnResult>(const Txn&)> hand)
      : store_(store), hand_(std::move(hand)) {}

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    return store_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    return store_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    return hand_([&] { return store_.txn(call, compares, puts); });
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost lost) override {
    return store_.grant(call, ttl, std::move(lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return store_.watch(prefix, after, std::move(callback));
  }

 private:
  CoordinationStore& store_;
  const std::function<Result<TxnResult>(const Txn&)> hand_;
};

TEST_CASE("migrate: an embedded store goes into an etcd, whole and once", "[cluster][etcd]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  const Known expected = fill(*from, 250);
  EtcdCluster etcd({});
  const auto to = etcd.store();
  const auto first = migrate({}, *from, *to);
  REQUIRE(first.ok());
  CHECK(first->copied == 250);
  CHECK(first->present == 0);
  CHECK(all(*to) == expected);
  const auto again = migrate({}, *from, *to);
  REQUIRE(again.ok());
  CHECK(again->copied == 0);
  CHECK(again->present == 250);
  CHECK(all(*to) == expected);
}

TEST_CASE("migrate: goes on after a failure in the middle", "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  const Known expected = fill(*from, 250);
  const auto to = embedded(dir, "to");
  int calls = 0;
  Handed failing(*to, [&](const Handed::Txn& txn) -> Result<TxnResult> {
    if (++calls == 2) return Error{ErrorCode::Unavailable, "away"};
    return txn();
  });
  CHECK(migrate({}, *from, failing).error().code == ErrorCode::Unavailable);
  CHECK(all(*to).size() == 100);
  const auto rest = migrate({}, *from, failing);
  REQUIRE(rest.ok());
  CHECK(rest->copied == 150);
  CHECK(rest->present == 100);
  CHECK(all(*to) == expected);
}

TEST_CASE("migrate: answers that never come are found out", "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  const Known expected = fill(*from, 250);
  const auto to = embedded(dir, "to");
  const TxnResult unknown{TxnOutcome::Unknown, Revision{0}, {ErrorCode::Unavailable, "silence"}};
  SECTION("some were written, some were not") {
    int calls = 0;
    Handed lossy(*to, [&](const Handed::Txn& txn) -> Result<TxnResult> {
      ++calls;
      if (calls % 3 == 1) return unknown;
      auto result = txn();
      return calls % 3 == 2 ? unknown : result;
    });
    CHECK(migrate({}, *from, lossy).ok());
    CHECK(all(*to) == expected);
  }
  SECTION("none ever comes") {
    Handed silent(*to, [&](const Handed::Txn&) -> Result<TxnResult> { return unknown; });
    const auto failed = migrate({}, *from, silent);
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().code == ErrorCode::Unavailable);
    CHECK_THAT(failed.error().message, Catch::Contains("silence"));
    CHECK(all(*to).empty());
  }
}

TEST_CASE("migrate: overwrites nothing", "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  fill(*from, 5);
  const auto to = embedded(dir, "to");
  put(*to, "k/1003", "of another cluster");
  put(*to, "elsewhere", "stays");
  const auto refused = migrate({}, *from, *to);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(refused.error().message, Catch::Contains("k/1003"));
  CHECK(all(*to) == Known{{"k/1003", "of another cluster"}, {"elsewhere", "stays"}});
}

TEST_CASE("migrate: keys of a lease stay where they are", "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  const Known expected = fill(*from, 2);
  auto lease = from->grant({}, std::chrono::seconds(10), {});
  REQUIRE(outcome(from->txn({}, {}, {{"alive", "1", (*lease)->id()}})) == TxnOutcome::Done);
  const auto to = embedded(dir, "to");
  CHECK(migrate({}, *from, *to)->copied == 2);
  CHECK(all(*to) == expected);
}

TEST_CASE("migrate: a store that is written to meanwhile is not copied",
          "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  fill(*from, 2);
  const auto to = embedded(dir, "to");
  Handed busy(*to, [&](const Handed::Txn& txn) -> Result<TxnResult> {
    put(*from, "new", "1");
    return txn();
  });
  const auto refused = migrate({}, *from, busy);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(refused.error().message, Catch::Contains("while it was copied"));
}

TEST_CASE("migrate: values that do not fit together go one by one", "[cluster][coordination]") {
  const TempDir dir;
  const auto from = embedded(dir, "from");
  Known expected;
  for (const char* key : {"a", "b", "c"}) {
    expected[key] = std::string(600'000, key[0]);
    put(*from, key, expected[key]);
  }
  const auto to = embedded(dir, "to");
  int calls = 0;
  Handed counted(*to, [&](const Handed::Txn& txn) -> Result<TxnResult> {
    ++calls;
    return txn();
  });
  CHECK(migrate({}, *from, counted)->copied == 3);
  CHECK(calls == 2);
  CHECK((all(*to) == expected));
}

}  // namespace
}  // namespace quiver::cluster
