// Rounds against a store and servers that answer as a test says.

#include "cluster/upkeep/upkeep.h"
#include "tests/cluster/copy_servers.h"

namespace quiver::cluster {
namespace {

using namespace testing;

struct Rounds {
  explicit Rounds(CopyServers& servers)
      : upkeep({*servers.store, *servers.views, servers.clock, servers.fan_out,
                [this](const ClusterView&) { return liveness; }, servers.reach()},
               {}) {}

  Liveness liveness;
  Upkeep upkeep;
};

thrift::CopyPosition at(std::uint64_t seq) {
  thrift::CopyPosition out;
  out.last = {Term{1}, Seq{seq}};
  return out;
}

TEST_CASE("Upkeep round: a primary that is gone is replaced in one", "[cluster][upkeep]") {
  CopyServers world(3, {0, 1, 2});
  Rounds rounds(world);
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  CHECK(world.state().term == Term{1});
  world.says(1, at(4));
  world.says(2, at(5));
  rounds.liveness.down = {CopyServers::node(0)};
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  CHECK(world.state().primary == CopyServers::copy(2));
  CHECK(world.state().term == Term{2});
  // The view has it, for the next round.
  CHECK(world.views->current()->find_collection("docs")->shards[0] == world.state());
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  CHECK(world.state().term == Term{2});
}

TEST_CASE("Upkeep round: what it cannot help it tells", "[cluster][upkeep]") {
  CopyServers world(2, {0, 1});
  Rounds rounds(world);
  rounds.liveness.down = {CopyServers::node(0)};
  world.server(1).be_silent(true);
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  REQUIRE(rounds.upkeep.unresolved().size() == 1);
  CHECK(rounds.upkeep.unresolved()[0].collection == "docs");
  // Nor does a server that there is no way to answer.
  world.server(1).be_silent(false);
  world.away = {CopyServers::node(1)};
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  CHECK(rounds.upkeep.unresolved().size() == 1);
  world.away.clear();
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  CHECK(rounds.upkeep.unresolved().empty());
  CHECK(world.state().term == Term{2});
}

TEST_CASE("Upkeep round: an answer of the store that is lost does no harm", "[cluster][upkeep]") {
  for (const auto fate : {Fate::AnswerLost, Fate::RequestLost, Fate::Refused}) {
    CopyServers world(2, {0, 1});
    Rounds rounds(world);
    rounds.liveness.down = {CopyServers::node(0)};
    world.store->hook = [fate] { return fate; };
    const auto round = rounds.upkeep.round({}, {});
    REQUIRE_FALSE(round.ok());
    CHECK(round.error().code == ErrorCode::Unavailable);
    CHECK(world.state().term == Term{fate == Fate::AnswerLost ? 2U : 1U});
    world.store->hook = {};
    // Decided anew, on what is there.
    REQUIRE(world.views->refresh({}).ok());
    REQUIRE(rounds.upkeep.round({}, {}).ok());
    CHECK(world.state().term == Term{2});
    CHECK(world.state().primary == CopyServers::copy(1));
  }
}

TEST_CASE("Upkeep round: a record that others changed meanwhile is left alone",
          "[cluster][upkeep]") {
  CopyServers world(2, {0, 1});
  Rounds rounds(world);
  rounds.liveness.down = {CopyServers::node(0)};
  auto other = world.state();
  other.term = Term{7};
  other.epoch = 7;
  SECTION("before it is read") {
    // The view does not know it yet.
    const auto views = ViewSource::detached(*world.store, world.views->map().listing);
    REQUIRE(views.ok());
    Upkeep outdated({*world.store, *world.views, world.clock, world.fan_out,
                     [&](const ClusterView&) {
                       const auto written =
                           world.inner->txn({}, {}, {{CopyServers::key(), other.to_json().dump()}});
                       REQUIRE(written.ok());
                       return rounds.liveness;
                     },
                     world.reach()},
                    {});
    REQUIRE(outdated.round({}, {}).ok());
  }
  SECTION("behind that") {
    world.store->hook = [&] {
      world.store->hook = {};
      REQUIRE(world.inner->txn({}, {}, {{CopyServers::key(), other.to_json().dump()}}).ok());
      return Fate::Honest;
    };
    REQUIRE(rounds.upkeep.round({}, {}).ok());
  }
  CHECK(world.state() == other);
}

TEST_CASE("Upkeep round: a deleted collection needs nothing", "[cluster][upkeep]") {
  CopyServers world(2, {0, 1});
  Rounds rounds(world);
  Upkeep late({*world.store, *world.views, world.clock, world.fan_out,
               [&](const ClusterView&) {
                 REQUIRE(world.inner->txn({}, {}, {{CopyServers::key(), std::nullopt}}).ok());
                 return Liveness{{CopyServers::node(0)}, {}};
               },
               world.reach()},
              {});
  REQUIRE(late.round({}, {}).ok());
  CHECK_FALSE(world.inner->get({}, CopyServers::key())->has_value());
}

TEST_CASE("Upkeep round: a drain, step by step", "[cluster][upkeep]") {
  CopyServers world(3, {0, 1});
  Rounds rounds(world);
  auto record = world.views->current()->find_node(CopyServers::node(0))->record;
  record.state = NodeState::Draining;
  world.write(keys::node(record.id), record.to_json());
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  auto state = world.state();
  REQUIRE(state.copies.size() == 3);
  CopyId fresh;
  for (const auto& [copy, place] : state.copies) {
    if (place.node == CopyServers::node(2)) fresh = copy;
  }
  REQUIRE(RequestId::from_hex(fresh.text).ok());
  world.server(2).says(fresh, {});
  state.in_sync.push_back(fresh);
  std::sort(state.in_sync.begin(), state.in_sync.end());
  state.copies[fresh].state = CopyState::Active;
  ++state.epoch;
  world.put(state);

  REQUIRE(rounds.upkeep.round({}, {}).ok());
  REQUIRE(world.server(0).orders().size() == 1);
  const auto [call, order] = world.server(0).orders().front();
  CHECK(order.kind == thrift::PrimaryOrder::Kind::HandOff);
  CHECK(call.copy == CopyServers::copy(0));
  CHECK(call.collection == CopyServers::kCollection);
  CHECK(call.term == Term{1});
  CHECK(world.state() == state);

  state.primary = order.copy;
  state.term = Term{2};
  ++state.epoch;
  world.put(state);
  REQUIRE(rounds.upkeep.round({}, {}).ok());
  const auto heir = order.copy == fresh ? std::size_t{2} : std::size_t{1};
  REQUIRE(world.server(heir).orders().size() == 1);
  CHECK(world.server(heir).orders()[0].second ==
        thrift::PrimaryOrder{thrift::PrimaryOrder::Kind::Drop, CopyServers::copy(0)});

  // Whoever does not take an order is asked again.
  world.server(heir).be_silent(true);
  CHECK(rounds.upkeep.round({}, {}).ok());
  world.server(heir).be_silent(false);
  CHECK(rounds.upkeep.round({}, {}).ok());
  CHECK(world.server(heir).orders().size() == 2);
}

TEST_CASE("Upkeep round: moves and maintenance are passed on", "[cluster][upkeep]") {
  CopyServers world(3, {0, 1});
  Rounds rounds(world);
  const ShardName name{CopyServers::kCollection, ShardId{0}};
  Upkeep::Wishes wishes;
  wishes.moves[name] = Move{"docs",
                            name.collection_id,
                            name.shard,
                            CopyServers::copy(1),
                            CopyServers::node(1),
                            CopyServers::node(2),
                            MoveReason::Manual};
  wishes.replaces = false;
  REQUIRE(rounds.upkeep.round({}, wishes).ok());
  CHECK(world.state().copies.size() == 2);
  wishes.replaces = true;
  REQUIRE(rounds.upkeep.round({}, wishes).ok());
  CHECK(world.state().copies.size() == 3);
}

}  // namespace
}  // namespace quiver::cluster
