// Who looks after shards with several copies when: the server that leads, and the others when it
// does not. And what all of them tell of shards that nothing can be done about.

#include <thread>

#include "tests/cluster/warden_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

template <typename Condition>
bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

Controller::Options quick() {
  Controller::Options out;
  out.every = 10ms;
  out.copies.every = 10ms;
  out.copies.look_every = 5ms;
  out.copies.stand_in_after = 10min;
  return out;
}

void write_leader(WardenWorld& world, std::size_t number) {
  world.write(keys::kLeader, Json{{"node", WardenWorld::node(number).text}});
}

TEST_CASE("Warden: whoever leads replaces a primary by itself", "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  const auto leader = world.make(2, quick());
  leader->start();
  CHECK(eventually([&] { return leader->leading().self; }));
  CHECK(leader->leading().node == WardenWorld::node(2));
  world.down(0);
  CHECK(eventually([&] { return world.state().term == Term{2}; }));
  CHECK(world.places() == std::vector<std::size_t>{1, 0});
  leader->stop();
}

TEST_CASE("Warden: a leader that is down is not waited for", "[cluster][warden]") {
  // The lease of server 0 goes on: it led, and died with the primary that it had.
  WardenWorld world(3, 2, {{0, 1}, {1, 2}});
  write_leader(world, 0);
  world.set_state(2, NodeState::Draining);
  const auto other = world.make(1, quick());
  other->start();
  CHECK(eventually([&] { return other->leading().node == WardenWorld::node(0); }));
  world.down(0);
  CHECK(eventually([&] { return world.state(0).term == Term{2}; }));
  // And it does nothing else: the drain is the leader's.
  CHECK(world.state(1).copies.size() == 2);
  CHECK_FALSE(other->leading().self);
  other->stop();
  CHECK(world.state(1).epoch == 1);
}

TEST_CASE("Warden: a leader that works is left its work, unless it does not do it",
          "[cluster][warden]") {
  WardenWorld world(4, 2, {{0, 1}});
  write_leader(world, 3);
  auto options = quick();
  const bool idle = GENERATE(false, true);
  if (idle) options.copies.stand_in_after = 50ms;
  const auto other = world.make(2, options);
  other->start();
  CHECK(eventually([&] { return other->leading().node == WardenWorld::node(3); }));
  world.down(0);
  if (idle) {
    CHECK(eventually([&] { return world.state().term == Term{2}; }));
  } else {
    // It has looked since, many times.
    const int before = world.looks;
    CHECK(eventually([&] { return world.looks > before + 20; }));
    CHECK(world.state().term == Term{1});
    CHECK(world.servers.at(WardenWorld::node(1))->asked == 0);
  }
  other->stop();
}

TEST_CASE("Warden: nobody is asked while all primaries are up and another leads",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  write_leader(world, 0);
  const auto other = world.make(2, quick());
  other->start();
  // A server without a primary.
  world.down(1);
  CHECK(eventually([&] { return world.looks > 20; }));
  other->stop();
  for (const auto& [unused, server] : world.servers) CHECK(server->asked == 0);
}

TEST_CASE("Warden: all servers tell what nothing can be done about", "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}, {1, 2}});
  auto options = quick();
  const auto other = world.make(2, options);
  world.write(keys::kLeader, Json{{"node", WardenWorld::node(0).text}});
  other->start();
  world.down(0);
  world.down(1);
  world.round();
  const auto spread = world.admin->shard_distribution(soon(), {"docs"}).value();
  REQUIRE(spread.unresolved.size() == 1);
  CHECK(spread.unresolved[0].collection == "docs");
  CHECK(spread.unresolved[0].shard == ShardId{0});
  CHECK(spread.unresolved_count == 1);
  CHECK(eventually([&] { return other->copies().unresolved().count == 1; }));
  CHECK(other->copies().unresolved().shards == spread.unresolved);
  // Of what is not asked about there are only numbers.
  const auto apart = world.admin->shard_distribution(soon(), {"", "n2"}).value();
  CHECK(apart.unresolved.empty());
  CHECK(apart.unresolved_count == 1);
  // What stands in the store and is not understood is no news.
  world.write(keys::kUnresolved, Json("{}"));
  world.up(0);
  world.up(1);
  CHECK(world.within_rounds(
      5, [&] { return world.admin->shard_distribution(soon(), {})->unresolved_count == 0; }));
  CHECK(eventually([&] { return other->copies().unresolved().count == 0; }));
  other->stop();
}

TEST_CASE("Warden: more unresolved shards than a list has are counted", "[cluster][warden]") {
  WardenWorld world(2, 2, std::vector<std::vector<std::size_t>>(203, {0, 1}));
  world.down(0);
  world.down(1);
  world.round();
  const auto told = world.controller->copies().unresolved();
  CHECK(told.count == 203);
  REQUIRE(told.shards.size() == CopyWarden::kUnresolvedListed);
  for (std::uint32_t i = 0; i < told.shards.size(); ++i) CHECK(told.shards[i].shard == ShardId{i});
  // Nothing has changed: nothing is written.
  const auto written = world.inner->get({}, keys::kUnresolved).value()->revision;
  world.round();
  CHECK(world.inner->get({}, keys::kUnresolved).value()->revision == written);
}

}  // namespace
}  // namespace quiver::cluster
