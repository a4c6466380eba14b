// A real etcd whose members are killed and stopped under the store.

#include <atomic>

#include <catch2/catch.hpp>

#include "tests/cluster/coordination_suite.h"
#include "tests/cluster/etcd_cluster.h"

namespace quiver::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

CallContext within(milliseconds time) {
  CallContext call;
  call.deadline = steady_clock::now() + time;
  return call;
}

/// Writes until it is known to have been written. Each attempt compares, so that one whose outcome
/// was unknown and which did happen is found out by the next.
bool write_surely(CoordinationStore& store, const std::string& key, const std::string& value) {
  return eventually([&] {
    const auto entry = store.get({}, key);
    if (!entry.ok()) return false;
    if (entry->has_value() && (*entry)->value == value) {
      const auto still = store.txn({}, {{key, (*entry)->revision}}, {});
      return still.ok() && *still == TxnOutcome::Done;
    }
    const Revision at = entry->has_value() ? (*entry)->revision : Revision{0};
    const auto done = store.txn({}, {{key, at}}, {{key, value}});
    return done.ok() && *done == TxnOutcome::Done;
  });
}

EtcdCluster::Options three() {
  EtcdCluster::Options options;
  options.members = 3;
  options.quick_elections = true;
  return options;
}

TEST_CASE("etcd faults: all members gone is Unavailable, and they come back", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  REQUIRE(write_surely(*store, "a", "1"));
  Observer observer(*store, "", (*store->get({}, "a"))->revision);
  etcd.kill(0);
  // Nobody took it: the store knows that nothing was written.
  const auto write = store->txn(within(seconds(1)), {}, {{"a", "2"}});
  REQUIRE_FALSE(write.ok());
  CHECK(write.error().code == ErrorCode::Unavailable);
  CHECK_THAT(write.error().message, Catch::Contains("cannot be reached"));
  const auto call = within(seconds(1));
  CHECK(store->get(call, "a").error().code == ErrorCode::Unavailable);
  CHECK(store->list(within(seconds(1)), "").error().code == ErrorCode::Unavailable);
  CHECK(store->grant(within(seconds(1)), seconds(5), {}).error().code == ErrorCode::Unavailable);
  etcd.start(0);
  CHECK(write_surely(*store, "a", "3"));
  CHECK(observer.knows({{"a", "3"}}));
}

TEST_CASE("etcd faults: a member that stops in the middle leaves Unknown", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  REQUIRE(write_surely(*store, "a", "1"));
  const Revision before = (*store->get({}, "a"))->revision;
  etcd.pause(0);
  const auto call = within(milliseconds(700));
  const auto unknown = store->txn(call, {{"a", before}}, {{"a", "2"}});
  REQUIRE(unknown.ok());
  CHECK(*unknown == TxnOutcome::Unknown);
  CHECK(unknown->why.code == ErrorCode::Unavailable);
  CHECK_FALSE(unknown->why.message.empty());
  CHECK_FALSE(decided(unknown).ok());
  CHECK(store->get(within(milliseconds(300)), "a").error().code == ErrorCode::Unavailable);
  etcd.resume(0);
  // Another transaction finds out: of the two, one did it.
  std::optional<TxnResult> second;
  REQUIRE(eventually([&] {
    auto result = store->txn({}, {{"a", before}}, {{"a", "3"}});
    if (!result.ok() || *result == TxnOutcome::Unknown) return false;
    second = *result;
    return true;
  }));
  const auto now = store->get({}, "a");
  REQUIRE(now.ok());
  CHECK((*now)->value == (*second == TxnOutcome::Done ? "3" : "2"));
}

TEST_CASE("etcd faults: a lease that cannot be renewed is lost when it ends", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  std::atomic<bool> lost{false};
  std::atomic<bool> was_valid{true};
  std::unique_ptr<Lease> lease;
  auto granted = store->grant({}, seconds(2), [&] { lost = true; });
  REQUIRE(granted.ok());
  lease = std::move(*granted);
  REQUIRE(outcome(store->txn({}, {}, {{"alive", "1", lease->id()}})) == TxnOutcome::Done);
  etcd.pause(0);
  CHECK(eventually([&] {
    was_valid = lease->valid_until() > steady_clock::now();
    return lost.load();
  }));
  CHECK(lease->valid_until() <= steady_clock::now());
  etcd.resume(0);
  lease.reset();
  CHECK(eventually([&] {
    const auto entry = store->get({}, "alive");
    return entry.ok() && !entry->has_value();
  }));
  CHECK(eventually([&] { return store->grant({}, seconds(2), {}).ok(); }));
}

TEST_CASE("etcd faults: of three members any may die", "[cluster][etcd]") {
  EtcdCluster etcd(three());
  const auto store = etcd.store();
  std::atomic<bool> lost{false};
  auto lease = store->grant({}, seconds(10), [&] { lost = true; });
  REQUIRE(lease.ok());
  Observer observer(*store, "k", Revision{1});
  REQUIRE(write_surely(*store, "k", "0"));
  SECTION("the one that the store talks to") {
    etcd.kill(0);
    CHECK(write_surely(*store, "k", "1"));
    etcd.start(0);
  }
  SECTION("a follower, stopped") {
    const std::size_t follower = (etcd.leader() + 1) % 3;
    etcd.pause(follower);
    CHECK(write_surely(*etcd.store(follower), "k", "1"));
    etcd.resume(follower);
  }
  SECTION("the leader") {
    const std::size_t leader = etcd.leader();
    etcd.kill(leader);
    CHECK(write_surely(*store, "k", "1"));
    etcd.start(leader);
  }
  SECTION("the leader, stopped") {
    const std::size_t leader = etcd.leader();
    etcd.pause(leader);
    CHECK(write_surely(*etcd.store(leader), "k", "1"));
    etcd.resume(leader);
  }
  CHECK(observer.knows({{"k", "1"}}));
  CHECK(eventually([&] { return etcd.healthy(); }));
  CHECK_FALSE(lost);
  const auto put = store->txn({}, {}, {{"alive", "1", (*lease)->id()}});
  CHECK((put.ok() && *put == TxnOutcome::Done));
}

TEST_CASE("etcd faults: without a majority nothing is written", "[cluster][etcd]") {
  EtcdCluster etcd(three());
  const auto store = etcd.store(0);
  REQUIRE(write_surely(*store, "k", "0"));
  etcd.kill(1);
  etcd.kill(2);
  // Once the last one knows that it has no leader it refuses at once: surely not written.
  REQUIRE(eventually([&] {
    const auto write = store->txn(within(seconds(2)), {}, {{"k", "lost"}});
    if (write.ok()) CHECK(*write == TxnOutcome::Unknown);
    return !write.ok() && write.error().message.find("no leader") != std::string::npos;
  }));
  CHECK(store->get(within(seconds(1)), "k").error().code == ErrorCode::Unavailable);
  etcd.start(1);
  CHECK(write_surely(*store, "k", "1"));
  etcd.start(2);
}

TEST_CASE("etcd faults: letting go of leases and watches needs no etcd", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  auto lease = store->grant({}, seconds(2), [] { FAIL("not called after the handle has gone"); });
  REQUIRE(lease.ok());
  auto watch = store->watch("", Revision{1}, [](const WatchBatch&) {});
  REQUIRE(watch.ok());
  etcd.pause(0);
  lease->reset();
  watch->reset();
  etcd.resume(0);
}

}  // namespace
}  // namespace quiver::cluster
