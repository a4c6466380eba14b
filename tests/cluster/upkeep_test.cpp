// What is done about shards of several copies, case by case, worked out by hand.

#include "cluster/upkeep/move_progress.h"
#include "cluster/upkeep/upkeep_planner.h"
#include "tests/cluster/upkeep_paper.h"

namespace quiver::cluster {
namespace {

using namespace testing;
using Kind = ShardChange::Kind;
using thrift::CopyCondition;

thrift::CopyPosition at(std::uint64_t term, std::uint64_t seq) {
  thrift::CopyPosition out;
  out.seen = Term{term};
  out.last = {Term{term}, Seq{seq}};
  return out;
}

thrift::CopyPosition in(CopyCondition condition) {
  thrift::CopyPosition out;
  out.condition = condition;
  return out;
}

TEST_CASE("Upkeep: a healthy cluster is left alone", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.cluster.create("docs", 8, 2);
  paper.cluster.create("solo", 8, 1);
  CHECK(paper.plan().unresolved.empty());
  paper.nothing(10min);
}

TEST_CASE("Upkeep: collections of one copy are nobody's business here", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.cluster.create("docs", 6, 1);
  paper.shard().copies[CopyId{paper_id("extra", 1)}] = {node_id(1), CopyState::New};
  paper.down(0);
  paper.cluster.set_state(1, NodeState::Draining);
  CHECK(UpkeepPlanner::positions_wanted(paper.cluster.view, paper.cluster.liveness).empty());
  paper.nothing();
  paper.nothing(10min);
}

TEST_CASE("Upkeep: who is asked for positions", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.store(2, {{0, 1}, {1, 2}, {2, 3}});
  paper.down(2);
  paper.cluster.set_state(3, NodeState::Removed);
  const auto wanted = UpkeepPlanner::positions_wanted(paper.cluster.view, paper.cluster.liveness);
  REQUIRE(wanted.size() == 2);
  const auto id = paper.cluster.spec("docs", 3, 2).id;
  CHECK(wanted.at(node_id(0)) == std::vector<thrift::CopyName>{{id, ShardId{0}, paper.copy(0, 0)}});
  CHECK(wanted.at(node_id(1)) == std::vector<thrift::CopyName>{{id, ShardId{0}, paper.copy(1, 0)},
                                                               {id, ShardId{1}, paper.copy(1, 1)}});
}

TEST_CASE("Promotion: the copy in sync with the longest log", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.store(4, {{0, 1, 2, 3}});
  paper.says(1, at(1, 7));
  paper.says(2, at(2, 5));
  paper.says(3, at(9, 99));
  paper.out_of_sync(3);
  paper.down(0);
  const auto before = paper.shard();
  const auto change = paper.one();
  CHECK(change.kind == Kind::Promote);
  CHECK(change.copy == paper.copy(2));
  CHECK(change.node == node_id(2));
  CHECK(change.from == before);
  REQUIRE(change.to);
  CHECK(change.to->term == Term{2});
  CHECK(change.to->primary == paper.copy(2));
  // The old one may be there still: it must not become primary again unseen.
  CHECK(change.to->in_sync.size() == 2);
  CHECK(std::count(change.to->in_sync.begin(), change.to->in_sync.end(), paper.copy(0)) == 0);
  CHECK(change.to->copies == before.copies);
  // No delay, no limit: every shard of the server, before anything else.
  paper.write(change);
  CHECK(paper.plan().changes.empty());
}

TEST_CASE("Promotion: only of copies that answer, and only if the primary is gone",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(3, {{0, 1, 2}});
  SECTION("a primary that is up and does not answer for its copy") {
    paper.silent = {node_id(0)};
    paper.nothing(10min);
  }
  SECTION("no other answers") {
    paper.down(0);
    paper.silent = {node_id(1), node_id(2)};
    const auto made = paper.plan(10min);
    CHECK(made.changes.empty());
    REQUIRE(made.unresolved.size() == 1);
    CHECK(made.unresolved[0].why ==
          "its primary is gone, and no other copy that has all of its writes answers");
  }
  SECTION("one has failed, the other is not in sync") {
    paper.down(0);
    paper.says(1, in(CopyCondition::Failed));
    paper.out_of_sync(2);
    const auto made = paper.plan(10min);
    CHECK(made.changes.empty());
    CHECK(made.unresolved.size() == 1);
  }
  SECTION("a copy hears the primary, which this server does not") {
    paper.down(0);
    auto hears = at(1, 3);
    hears.hears = true;
    paper.says(1, hears);
    CHECK(paper.plan().unresolved.empty());
    paper.nothing();
    // Another primary than the record names is no reason to wait.
    hears.seen = Term{2};
    paper.says(1, hears);
    CHECK(paper.one().kind == Kind::Promote);
  }
}

TEST_CASE("Promotion: a primary whose copy failed, or is not there any more", "[cluster][upkeep]") {
  for (const auto condition : {CopyCondition::Failed, CopyCondition::Absent}) {
    UpkeepPaper paper;
    paper.cluster.add_nodes(0, 1);
    paper.store(2, {{0, 1}});
    paper.says(0, in(condition));
    auto hears = at(1, 3);
    hears.hears = true;
    paper.says(1, hears);
    const auto change = paper.one();
    CHECK(change.kind == Kind::Promote);
    CHECK(change.copy == paper.copy(1));
    CHECK(change.why == "the primary's copy has failed");
  }
}

TEST_CASE("Replacement: after the delay, and not before", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  const auto old = paper.copy(1);
  paper.down(1);
  paper.nothing();
  // Its primary has taken it out.
  paper.out_of_sync(1);
  paper.nothing(59s);
  // It was back for a moment: the delay begins anew.
  paper.up(1);
  paper.nothing();
  paper.down(1);
  paper.nothing();
  paper.nothing(59s);
  const auto change = paper.one(1s);
  CHECK(change.kind == Kind::Add);
  CHECK(change.node == node_id(2));
  REQUIRE(change.to);
  CHECK(change.to->copies.at(change.copy) == CopyPlace{node_id(2), CopyState::New});
  CHECK(change.to->in_sync == paper.shard().in_sync);
  CHECK(change.to->copies.contains(old));
  paper.write(change);
  // What is lost may be all that is left, until another is in sync.
  paper.nothing(10min);
  paper.in_sync({paper.copy(0), change.copy});
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::Drop);
  CHECK(dropped.copy == old);
  paper.write(dropped);
  CHECK(paper.plan().unresolved.empty());
  paper.nothing(10min);
}

TEST_CASE("Replacement: not during maintenance, nor of what the primary holds on to",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.down(1);
  SECTION("in sync: its primary hears it, or will take it out") {
    paper.plan();
    paper.nothing(10min);
  }
  SECTION("maintenance") {
    paper.out_of_sync(1);
    paper.replaces = false;
    paper.plan();
    paper.nothing(10min);
    // Promotions go on.
    paper.in_sync({0, 1});
    paper.up(1);
    paper.down(0);
    CHECK(paper.one().kind == Kind::Promote);
  }
  SECTION("nobody leads: what is there may be needed") {
    paper.out_of_sync(1);
    paper.down(0);
    paper.up(1);
    paper.plan();
    CHECK(paper.plan(10min).changes.empty());
  }
}

TEST_CASE("Replacement: a copy that comes back makes its successor superfluous",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.out_of_sync(1);
  paper.down(1);
  paper.plan();
  const auto added = paper.one(60s);
  paper.write(added);
  paper.up(1);
  paper.nothing();
  // The old one has caught up first.
  paper.in_sync({0, 1});
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::Drop);
  CHECK(dropped.copy == added.copy);
}

TEST_CASE("Replacement: of two in sync too many the primary is asked to drop one",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_node(0, 1, "a");
  paper.cluster.add_node(1, 1, "b");
  paper.cluster.add_node(2, 1, "b");
  paper.store(2, {{0, 1, 2}});
  const auto change = paper.one();
  CHECK(change.kind == Kind::AskDrop);
  CHECK_FALSE(change.to);
  // Not the one of the other zone, nor the primary.
  CHECK(change.copy != paper.copy(0));
}

TEST_CASE("Replacement: a copy whose files are gone goes at once, and its server may have another",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 1);
  paper.store(2, {{0, 1}});
  paper.says(1, in(CopyCondition::Absent));
  // In sync: for the primary to take out.
  paper.nothing();
  paper.out_of_sync(1);
  const auto gone = paper.copy(1);
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::Drop);
  CHECK(dropped.copy == gone);
  paper.write(dropped);
  const auto added = paper.one();
  CHECK(added.kind == Kind::Add);
  CHECK(added.node == node_id(1));
  // A new copy is not there before the record names it: that is no loss, unless it lasts.
  paper.write(added);
  paper.says(1, in(CopyCondition::Absent));
  paper.nothing();
  paper.nothing(59s);
  const auto never_made = paper.one(1s);
  CHECK(never_made.kind == Kind::Drop);
  CHECK(never_made.copy == added.copy);
}

TEST_CASE("Replacement: a copy that has failed for long is made anew on another server",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.says(1, in(CopyCondition::Failed));
  paper.out_of_sync(1);
  paper.nothing();
  paper.nothing(59s);
  // Nobody answered for it meanwhile: that changes nothing.
  paper.silent = {node_id(1)};
  paper.nothing();
  paper.silent.clear();
  const auto added = paper.one(1s);
  CHECK(added.kind == Kind::Add);
  CHECK(added.node == node_id(2));
  SECTION("it works again") {
    paper.write(added);
    paper.said.clear();
    paper.in_sync({0, 1});
    CHECK(paper.one().copy == added.copy);
  }
  SECTION("there is no other server") {
    paper.cluster.set_state(2, NodeState::Draining);
    const auto made = paper.plan();
    CHECK(made.changes.empty());
    REQUIRE(made.unresolved.size() == 1);
    CHECK(made.unresolved[0].why == "no node that can be reached has room for another copy of it");
  }
}

TEST_CASE("Replacement: what a removed server had goes, in sync or not", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.cluster.set_state(1, NodeState::Removed);
  const auto added = paper.one();
  CHECK(added.kind == Kind::Add);
  paper.write(added);
  paper.out_of_sync(1);
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::Drop);
  CHECK(dropped.copy == paper.copy(1));
}

TEST_CASE("Replacement: a primary of a removed server is replaced like any", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.cluster.set_state(0, NodeState::Removed);
  CHECK(paper.one().kind == Kind::Promote);
}

TEST_CASE("Holes: filled at once, one at a time, on servers and in zones of their own",
          "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_node(0, 1, "a");
  paper.cluster.add_node(1, 1, "a");
  paper.cluster.add_node(2, 1, "b");
  paper.cluster.add_node(3, 1, "c");
  paper.store(3, {{0}});
  std::set<std::string> zones{"a"};
  for (int i = 0; i < 2; ++i) {
    const auto added = paper.one();
    CHECK(added.kind == Kind::Add);
    zones.insert(paper.cluster.view.find_node(added.node)->record.zone);
    paper.write(added);
  }
  CHECK(zones.size() == 3);
  paper.nothing();
}

TEST_CASE("Holes: no server fills, or takes, many copies at once", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 4);
  std::vector<std::vector<std::uint64_t>> shards;
  for (std::uint64_t i = 0; i < 20; ++i) shards.push_back({i % 5});
  paper.store(2, shards);
  std::map<NodeId, std::size_t> takes;
  std::map<NodeId, std::size_t> gives;
  const auto made = paper.plan();
  REQUIRE(made.changes.size() >= 5);
  for (const auto& change : made.changes) {
    CHECK(change.kind == Kind::Add);
    CHECK(++takes[change.node] <= 2);
    CHECK(++gives[*change.from.primary_node()] <= 2);
    paper.write(change);
  }
  paper.nothing();
}

TEST_CASE("Drain: another copy, then the role, then the old copy", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  paper.cluster.set_state(0, NodeState::Draining);
  const auto old = paper.copy(0);
  const auto added = paper.one();
  CHECK(added.kind == Kind::Add);
  CHECK(added.node == node_id(2));
  paper.write(added);
  paper.nothing(10min);
  paper.in_sync({0, 1, 2});
  const auto asked = paper.one();
  CHECK(asked.kind == Kind::AskHandOff);
  CHECK(asked.copy != old);
  CHECK_FALSE(asked.to);
  // Asked as long as the record does not show it.
  CHECK(paper.one().kind == Kind::AskHandOff);
  paper.shard().primary = asked.copy;
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::AskDrop);
  CHECK(dropped.copy == old);
  std::erase(paper.shard().in_sync, old);
  const auto last = paper.one();
  CHECK(last.kind == Kind::Drop);
  paper.write(last);
  paper.nothing();
  SECTION("cancelled, nothing is undone") {
    paper.cluster.set_state(0, NodeState::Active);
    paper.nothing(10s);
  }
}

TEST_CASE("Drain: two servers of one shard at once", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.store(2, {{0, 1}});
  paper.cluster.set_state(0, NodeState::Draining);
  paper.cluster.set_state(1, NodeState::Draining);
  std::set<NodeId> nodes;
  for (int i = 0; i < 2; ++i) {
    const auto added = paper.one();
    CHECK(added.kind == Kind::Add);
    nodes.insert(added.node);
    paper.write(added);
  }
  CHECK(nodes == std::set<NodeId>{node_id(2), node_id(3)});
}

TEST_CASE("Drain: one without a place hinders no repair", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  // Three copies, and three servers of which one drains: nowhere to go.
  paper.store(3, {{0, 1, 2}});
  paper.cluster.create("pairs", 1, 2);
  auto& pair = paper.cluster.shard("pairs", ShardId{0});
  for (auto copy = pair.copies.begin(); copy != pair.copies.end();) {
    copy = copy->first == pair.primary ? std::next(copy) : pair.copies.erase(copy);
  }
  pair.in_sync = {pair.primary};
  pair.copies.at(pair.primary).node = node_id(0);
  paper.cluster.set_state(2, NodeState::Draining);
  const auto made = paper.plan();
  REQUIRE(made.changes.size() == 1);
  CHECK(made.changes[0].kind == Kind::Add);
  CHECK(made.changes[0].collection == "pairs");
  CHECK(made.changes[0].node == node_id(1));
  CHECK(made.unresolved.size() == 1);
}

TEST_CASE("Drain: copies that are just being filled there are given up", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0}});
  const auto added = paper.one();
  paper.write(added);
  for (std::uint64_t i = 1; i < 3; ++i) {
    if (node_id(i) == added.node) paper.cluster.set_state(i, NodeState::Draining);
  }
  const auto dropped = paper.one();
  CHECK(dropped.kind == Kind::Drop);
  CHECK(dropped.copy == added.copy);
}

TEST_CASE("Moves: what a person asked for, from and to where they said", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.store(2, {{0, 1}});
  const auto id = paper.cluster.spec("docs", 1, 2).id;
  const auto old = paper.copy(0);
  paper.moves[{id, ShardId{0}}] =
      Move{"docs", id, ShardId{0}, old, node_id(0), node_id(3), MoveReason::Manual};
  const auto added = paper.one();
  CHECK(added.kind == Kind::Add);
  CHECK(added.node == node_id(3));
  paper.write(added);
  SECTION("it arrives") {
    paper.in_sync({0, 1, 3});
    CHECK(paper.one().kind == Kind::AskHandOff);
    paper.shard().primary = added.copy;
    const auto dropped = paper.one();
    CHECK(dropped.kind == Kind::AskDrop);
    CHECK(dropped.copy == old);
  }
  SECTION("it is given up") {
    paper.moves.clear();
    const auto dropped = paper.one();
    CHECK(dropped.kind == Kind::Drop);
    CHECK(dropped.copy == added.copy);
  }
  SECTION("another copy dies on the way") {
    paper.out_of_sync(1);
    paper.down(1);
    paper.plan();
    const auto another = paper.one(60s);
    CHECK(another.kind == Kind::Add);
    CHECK(another.node == node_id(2));
  }
}

TEST_CASE("Moves: to where it cannot go, nothing is begun", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 3);
  paper.store(2, {{0, 1}});
  const auto id = paper.cluster.spec("docs", 1, 2).id;
  paper.moves[{id, ShardId{0}}] =
      Move{"docs", id, ShardId{0}, paper.copy(0), node_id(0), node_id(2), MoveReason::Manual};
  paper.down(2);
  paper.nothing();
  CHECK(paper.plan().unresolved.size() == 1);
  // What is missing beside it is made up for.
  paper.out_of_sync(1);
  paper.down(1);
  paper.plan();
  const auto added = paper.one(60s);
  CHECK(added.kind == Kind::Add);
  CHECK(added.node == node_id(3));
}

TEST_CASE("Moves: how far one is shows in the shard's record", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 2);
  paper.store(2, {{0, 1}});
  const auto old = paper.copy(0);
  const Move move{"docs",
                  paper.cluster.spec("docs", 1, 2).id,
                  ShardId{0},
                  old,
                  node_id(0),
                  node_id(2),
                  MoveReason::Manual};
  const auto progress = [&](std::string_view hopeless) {
    return progress_of(move, paper.cluster.view.find_collection("docs"), hopeless);
  };
  CHECK(progress("") == MoveProgress{MovePhase::Planned});
  CHECK(progress("it is gone").phase == MovePhase::Failed);
  const CopyId fresh{paper_id("fresh", 1)};
  paper.shard().copies[fresh] = {node_id(2), CopyState::New};
  CHECK(progress("") == MoveProgress{MovePhase::Copying, "", fresh});
  CHECK(progress("it is gone") == MoveProgress{MovePhase::Failed, "it is gone", fresh});
  paper.in_sync({0, 1, 2});
  CHECK(progress("").phase == MovePhase::HandingOver);
  auto& state = paper.shard();
  state.primary = fresh;
  std::erase(state.in_sync, old);
  state.copies.erase(old);
  CHECK(progress("").phase == MovePhase::Done);
  // What has arrived has arrived.
  CHECK(progress("it is gone").phase == MovePhase::Done);
  auto& given_up = paper.shard();
  given_up.copies.erase(fresh);
  CHECK(progress("") == MoveProgress{MovePhase::Failed, "the copy that was to move is gone"});
  CHECK(progress_of(move, nullptr, "").phase == MovePhase::Aborted);
}

TEST_CASE("Roles: primaries spread once all is calm, a few at a time", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 1);
  paper.store(2, std::vector<std::vector<std::uint64_t>>(20, {0, 1}));
  paper.nothing();
  paper.nothing(29s);
  const auto made = paper.plan(1s);
  CHECK(made.changes.size() == 4);
  for (const auto& change : made.changes) {
    CHECK(change.kind == Kind::AskHandOff);
    CHECK(change.node == node_id(1));
    paper.shard(raw(change.shard.shard)).primary = change.copy;
  }
  // Whoever was down a moment ago is left in peace.
  paper.down(1);
  paper.plan();
  paper.up(1);
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto first = paper.copy(0, i);
    paper.shard(i).primary = first;
  }
  paper.nothing();
  for (int round = 0; round < 3; ++round) {
    for (const auto& change : paper.plan(30s).changes) {
      paper.shard(raw(change.shard.shard)).primary = change.copy;
    }
  }
  CHECK(spread(paper.cluster.primaries()) == 0);
  paper.nothing(10min);
}

TEST_CASE("Roles: not while a copy is behind", "[cluster][upkeep]") {
  UpkeepPaper paper;
  paper.cluster.add_nodes(0, 1);
  paper.store(2, std::vector<std::vector<std::uint64_t>>(4, {0, 1}));
  paper.out_of_sync(1, 3);
  paper.plan();
  paper.nothing(10min);
}

TEST_CASE("Upkeep: promotions come first, and the rest waits for another round",
          "[cluster][upkeep]") {
  UpkeepOptions options;
  options.changes_max = 3;
  options.filling_max = 100;
  UpkeepPaper paper(options);
  paper.cluster.add_nodes(0, 3);
  paper.store(2, {{2}, {2}, {2}, {0, 2}, {0, 2}});
  paper.down(0);
  const auto made = paper.plan();
  REQUIRE(made.changes.size() == 3);
  CHECK(made.changes[0].kind == Kind::Promote);
  CHECK(made.changes[1].kind == Kind::Promote);
  CHECK(made.changes[2].kind == Kind::Add);
}

TEST_CASE("Upkeep: kinds of changes have names", "[cluster][upkeep]") {
  CHECK(name(Kind::Promote) == "promote");
  CHECK(name(Kind::Add) == "add");
  CHECK(name(Kind::Drop) == "drop");
  CHECK(name(Kind::AskHandOff) == "ask_hand_off");
  CHECK(name(Kind::AskDrop) == "ask_drop");
}

}  // namespace
}  // namespace quiver::cluster
