// Two hosts of copies in one process, on a real store of records and real storage: what they open,
// make, remove and give up as the records change, disks fail and callers hold on.

#include "cluster/replication/copy_host.h"

#include <future>

#include "tests/cluster/copy_hosts.h"

namespace quiver::cluster::replication::test {
namespace {

TEST_CASE("copy host: opens what the records name, and what is written reaches the other",
          "[replication]") {
  Hosts hosts;
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).error().code ==
        ErrorCode::Unavailable);
  CHECK(hosts.host(0).positions(std::vector{name_of(0)}).error().code == ErrorCode::Unavailable);
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  CHECK(hosts.write(0, 7).ok());
  CHECK(hosts.write(1, 8).error().code == ErrorCode::WrongOwner);
  REQUIRE(hosts.eventually([&] { return raw(hosts.position(1).applied) == 1; }));
  const auto known = hosts.host(1).known(place_of(1));
  REQUIRE(known);
  CHECK(known->stats.points == 1);
  CHECK(hosts.position(0).serves);
  CHECK(hosts.position(1).hears);
  // Of one that is open, and a second time, nothing.
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).ok());
  CHECK(hosts.host(0).start().ok());
  CHECK(hosts.is_open(0));
  // Of a copy that is elsewhere it says so.
  CHECK(hosts.host(0).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  const auto elsewhere = hosts.host(0).positions(std::vector{name_of(1)});
  REQUIRE(elsewhere.ok());
  CHECK(elsewhere->front().condition == thrift::CopyCondition::Absent);
}

TEST_CASE("copy host: a copy that the record no longer names goes with its files",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  auto alone = hosts.record();
  alone.copies.erase(copy_of(1));
  alone.in_sync = {copy_of(0)};
  ++alone.epoch;
  hosts.put(alone);
  REQUIRE(hosts.eventually([&] { return hosts.is_absent(1); }));
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  CHECK_FALSE(std::filesystem::exists(hosts.directory(1)));
  CHECK(std::filesystem::exists(hosts.directory(0)));
}

TEST_CASE("copy host: a new copy is made; of one that others count on no empty one is",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  REQUIRE(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).ok());
  auto state = Hosts::both();
  SECTION("new") {
    state.in_sync = {copy_of(0)};
    state.copies[copy_of(1)].state = CopyState::New;
  }
  SECTION("in sync") {}
  const bool fresh = state.in_sync.size() == 1;
  hosts.name(state);
  REQUIRE(hosts.eventually([&] { return hosts.is_open(0); }));
  if (fresh) {
    // Made, opened, filled and let in.
    CHECK(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
    CHECK(hosts.is_open(1));
    return;
  }
  CHECK(hosts.eventually([&] { return hosts.is_absent(1); }));
  CHECK_FALSE(std::filesystem::exists(hosts.directory(1)));
}

TEST_CASE("copy host: a copy whose disk failed is opened anew", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  REQUIRE(hosts.write(0, 1).ok());
  const auto before = hosts.host(1).find(place_of(1)).value()->status().durable;
  REQUIRE(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
  hosts.servers[1].disk.fails_to_append = true;
  const auto written = hosts.write(0, 2);
  INFO(error_of(written));
  CHECK(written.ok());
  CHECK(hosts.record().in_sync == std::vector{copy_of(0)});
  hosts.servers[1].disk.fails_to_append = false;
  CHECK(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
  CHECK(hosts.host(1).find(place_of(1)).value()->status().durable.seq > before.seq);
}

TEST_CASE("copy host: what could not be opened is tried again, and says why meanwhile",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.make();
  const auto file = hosts.directory(1) / "REPLICA";
  const auto aside = hosts.directory(1).parent_path().parent_path() / "aside";
  std::filesystem::rename(file, aside);
  hosts.name(Hosts::both());
  REQUIRE(hosts.eventually([&] {
    const auto found = hosts.host(1).find(place_of(1));
    return error_of(found).find("REPLICA is missing") != std::string::npos;
  }));
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::Unavailable);
  CHECK(hosts.position(1).condition == thrift::CopyCondition::Failed);
  CHECK_FALSE(hosts.host(1).known(place_of(1)));
  // It is in the record: what is left of it stays.
  CHECK(std::filesystem::exists(hosts.directory(1)));
  std::filesystem::rename(aside, file);
  CHECK(hosts.eventually([&] { return hosts.is_open(1); }));
}

TEST_CASE("copy host: who resigns leaves the role to a copy in sync whose server is up",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  REQUIRE(hosts.write(0, 1).ok());
  SECTION("there is one") {
    hosts.host(0).resign(20s);
    CHECK(hosts.record().primary == copy_of(1));
    CHECK(hosts.eventually([&] { return hosts.serves(1); }));
    CHECK(hosts.write(1, 2).ok());
    // It leads nothing any more.
    hosts.host(0).resign(20s);
    CHECK(hosts.record().primary == copy_of(1));
  }
  SECTION("it is down") {
    hosts.remove(keys::alive(node_of(1)));
    hosts.host(0).resign(std::chrono::hours(1));
    CHECK(hosts.record().primary == copy_of(0));
    CHECK(hosts.write(0, 2).ok());
  }
}

TEST_CASE("copy host: waits for those who hold a copy when it ends", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  auto held = hosts.host(0).find(place_of(0)).value();
  std::atomic<bool> over{false};
  std::promise<void> writing;
  // Nobody else answers it any more: it waits until its host ends.
  hosts.host(1).close();
  std::thread writer([&] {
    CallContext call;
    call.request_id = RequestId::random();
    writing.set_value();
    auto mine = hosts.host(0).find(place_of(0));
    while (mine.ok() && (*mine)->write_at(call, put(1, 1)).ok()) mine = hosts.host(0).find({});
  });
  writing.get_future().wait();
  std::thread closer([&] {
    hosts.host(0).close();
    over = true;
  });
  REQUIRE(hosts.eventually([&] { return !hosts.host(0).find(place_of(0)).ok(); }));
  CHECK(hosts.host(0).find(place_of(0)).error().code == ErrorCode::Unavailable);
  CHECK(hosts.eventually([&] { return !held->status().serving; }));
  CHECK_FALSE(over);
  held.reset();
  closer.join();
  writer.join();
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).error().code ==
        ErrorCode::Unavailable);
  CHECK(hosts.host(0).start().ok());
}

TEST_CASE("copy host: of a collection that is forgotten nothing stays open or is opened",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  hosts.host(1).forget_collection(twin_spec().id);
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  // Its files may be removed, though the view still has it.
  CHECK(hosts.servers[1].shards->bury_collection(twin_spec().id).ok());
  hosts.host(1).changed();
  REQUIRE(hosts.write(0, 1).ok());
  CHECK_FALSE(hosts.is_open(1));
  CHECK(hosts.position(1).condition == thrift::CopyCondition::Absent);
  CHECK(hosts.host(1).make(twin_spec(), ShardId{0}, copy_of(1)).error().code ==
        ErrorCode::Unavailable);
}

TEST_CASE("copy host: passes orders to the copies that are here", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  using Kind = thrift::PrimaryOrder::Kind;
  CHECK(hosts.host(0).direct(name_of(1), {Kind::Drop, copy_of(0)}).error().code ==
        ErrorCode::NotFound);
  REQUIRE(hosts.host(0).direct(name_of(0), {Kind::HandOff, copy_of(1)}).ok());
  REQUIRE(hosts.eventually([&] { return hosts.serves(1); }));
  REQUIRE(hosts.host(1).direct(name_of(1), {Kind::Drop, copy_of(0)}).ok());
  CHECK(hosts.eventually([&] { return !std::filesystem::exists(hosts.directory(0)); }));
}

}  // namespace
}  // namespace quiver::cluster::replication::test
