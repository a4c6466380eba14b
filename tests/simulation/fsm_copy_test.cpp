// A copy that follows, and who may read where, against answers worked out by hand.

#include <catch2/catch.hpp>

#include "tests/simulation/fsm_fixture.h"

using namespace quiver;
using namespace quiver::simulation;

namespace {

std::vector<EntryHead> heads(const std::vector<std::uint64_t>& terms) {
  std::vector<EntryHead> result;
  for (const std::uint64_t term : terms) result.push_back({Term{term}, {}});
  return result;
}

Append append(std::uint64_t term, LogPosition prev, std::uint64_t through, std::uint64_t gate,
              std::uint64_t commit) {
  return {Term{term}, prev, Seq{through}, Seq{gate}, Seq{commit}, Standing::InSync, Time{}};
}

LogPosition at(std::uint64_t term, std::uint64_t seq) {
  return {Term{term}, Seq{seq}};
}

}  // namespace

TEST_CASE("ReplicationFsm: a copy answers when term and entries are on disk", "[replication]") {
  Subject a;
  a.receive("b", append(2, {}, 2, 0, 0), heads({2, 2}));
  REQUIRE(a.last<PersistTerm>() != nullptr);
  CHECK(a.last<PersistTerm>()->term == Term{2});
  REQUIRE(a.last<AppendReceived>() != nullptr);
  CHECK(a.last<AppendReceived>()->first == Seq{1});
  CHECK(a.sent<Ack>() == nullptr);
  a.step(Synced{Ticket{1}});
  CHECK(a.sent<Ack>() == nullptr);
  a.step(Synced{Ticket{2}});
  REQUIRE(a.sent<Ack>() != nullptr);
  CHECK(a.sent<Ack>()->matched == Seq{2});
  CHECK(a.sent<Ack>()->term == Term{2});
  CHECK(a.last<ApplyThrough>() == nullptr);
  a.receive("b", append(2, at(2, 2), 2, 0, 1));
  REQUIRE(a.last<ApplyThrough>() != nullptr);
  CHECK(a.last<ApplyThrough>()->seq == Seq{1});
}

TEST_CASE("ReplicationFsm: an older primary is told so", "[replication]") {
  Subject a(disk_of(3, {1, 1}, 1));
  a.receive("b", append(2, at(1, 1), 2, 0, 0), heads({2}));
  REQUIRE(a.sent<Stale>() != nullptr);
  CHECK(a.sent<Stale>()->seen == Term{3});
  CHECK(a.actions.size() == 1);
}

TEST_CASE("ReplicationFsm: a tail that the primary does not have is replaced", "[replication]") {
  Subject a(disk_of(1, {1, 1, 1}, 1));
  a.receive("b", append(2, at(1, 1), 2, 1, 0), heads({2}));
  a.sync();
  REQUIRE(a.sent<Ack>() != nullptr);
  CHECK(a.sent<Ack>()->matched == Seq{2});
  CHECK(a.fsm.log().history().last() == at(2, 2));
}

TEST_CASE("ReplicationFsm: a tail behind the gate is rolled back by a sign of life",
          "[replication]") {
  Subject a(disk_of(1, {1, 1, 1}, 1));
  a.receive("b", append(2, at(1, 2), 2, 2, 0));
  REQUIRE(a.last<TruncateAfter>() != nullptr);
  CHECK(a.last<TruncateAfter>()->last == Seq{2});
  // Late, from before entries of the same term: they stay.
  a.receive("b", append(2, at(1, 2), 4, 2, 0), heads({2, 2}));
  a.receive("b", append(2, at(1, 2), 2, 2, 0));
  CHECK(a.last<TruncateAfter>() == nullptr);
  CHECK(a.fsm.log().tail() == Seq{4});
}

TEST_CASE("ReplicationFsm: what was shown to readers is not undone", "[replication]") {
  Subject a(disk_of(1, {1, 1, 1}, 3));
  a.receive("b", append(2, at(1, 1), 2, 1, 0), heads({2}));
  CHECK(a.last<TruncateAfter>() == nullptr);
  CHECK(a.sent<Mismatch>() == nullptr);
  a.sync();
  a.receive("b", append(2, at(1, 1), 2, 1, 0), heads({2}));
  REQUIRE(a.sent<Mismatch>() != nullptr);
  CHECK(a.sent<Mismatch>()->applied == Seq{3});
  // Only the whole state of another copy can take its place.
  a.step(SnapshotReceived{copy("b"), Term{2}, disk_of(2, {1, 2}, 2).history, Time{}});
  REQUIRE(a.last<InstallSnapshot>() != nullptr);
  CHECK(a.last<InstallSnapshot>()->position == at(2, 2));
  CHECK(a.sent<Ack>() == nullptr);
  a.sync();
  REQUIRE(a.sent<Ack>() != nullptr);
  CHECK(a.sent<Ack>()->matched == Seq{2});
}

TEST_CASE("ReplicationFsm: a snapshot of what is there is only acknowledged", "[replication]") {
  Subject a(disk_of(1, {1, 1, 1}, 1));
  a.step(SnapshotReceived{copy("b"), Term{1}, disk_of(1, {1, 1}, 2).history, Time{}});
  CHECK(a.last<InstallSnapshot>() == nullptr);
  REQUIRE(a.sent<Ack>() != nullptr);
  CHECK(a.sent<Ack>()->matched == Seq{2});
  CHECK(a.fsm.log().tail() == Seq{3});
  a.step(SnapshotReceived{copy("b"), Term{0}, disk_of(1, {1, 1}, 2).history, Time{}});
  CHECK(a.last<InstallSnapshot>() == nullptr);
}

TEST_CASE("ReplicationFsm: a gap is reported", "[replication]") {
  Subject a(disk_of(2, {1, 1}, 1));
  a.receive("b", append(2, at(2, 5), 6, 2, 0), heads({2}));
  REQUIRE(a.sent<Mismatch>() != nullptr);
  CHECK(a.sent<Mismatch>()->history.last() == at(1, 2));
  CHECK(a.sent<Mismatch>()->applied == Seq{1});
}

TEST_CASE("ReplicationFsm: a message that no primary sends changes nothing", "[replication]") {
  Subject a(disk_of(2, {1, 1}, 1));
  const std::vector<std::pair<Append, std::vector<EntryHead>>> wrong = {
      {append(3, at(1, 2), 4, 2, 0), heads({3})},
      {append(3, at(1, 2), 1, 2, 0), {}},
      {append(3, at(1, 2), 4, 2, 0), heads({3, 2})},
      {append(3, at(1, 2), 3, 2, 0), heads({4})},
      {append(3, at(4, 2), 2, 2, 0), {}},
  };
  for (const auto& [message, entries] : wrong) {
    a.receive("b", message, entries);
    CHECK(a.actions.empty());
    CHECK(a.fsm.seen() == Term{2});
  }
}

TEST_CASE("ReplicationFsm: a late sync of what was cut off makes nothing durable",
          "[replication]") {
  Subject a(disk_of(1, {1}, 1));
  a.receive("b", append(1, at(1, 1), 3, 0, 0), heads({1, 1}));
  const Ticket old = a.issued;
  a.receive("c", append(2, at(1, 1), 3, 1, 0), heads({2, 2}));
  a.step(Synced{old});
  CHECK(a.fsm.log().durable() == Seq{1});
  CHECK(a.sent<Ack>("c") == nullptr);
  a.sync();
  REQUIRE(a.sent<Ack>("c") != nullptr);
  CHECK(a.sent<Ack>("c")->matched == Seq{3});
}

TEST_CASE("ReplicationFsm: only a record that knew the copy can give it up", "[replication]") {
  Persisted disk = disk_of(1, {1}, 1);
  disk.born = Revision{5};
  Subject a(disk);
  a.see(record_of(1, "b", {"b"}, {"b"}), 4);
  CHECK(a.last<Retire>() == nullptr);
  a.see(record_of(1, "b", {"b"}, {"b"}), 6);
  CHECK(a.last<Retire>() != nullptr);
  CHECK(a.fsm.role() == Role::Retired);
}

TEST_CASE("ReplicationFsm: linearizable reads need leases and the gate", "[replication]") {
  Subject a(disk_of(1, {1, 1}, 1));
  a.see(record_of(2, "a", {"a", "b"}, {"a", "b"}), 1);
  a.sync();
  for (int i = 0; i < 7; ++i) {
    // It answers, but does not have all that the primary began with.
    a.acknowledge(1);
    a.wait(milliseconds{500});
  }
  a.acknowledge(1);
  a.read(ReadLevel::Linearizable);
  CHECK(a.last<AnswerRead>() == nullptr);
  a.acknowledge(2);
  REQUIRE(a.answered(ReadOutcome::Granted));
  CHECK(a.last<AnswerRead>()->at_least == Seq{2});
  a.wait(milliseconds{1900});
  a.read(ReadLevel::Linearizable);
  CHECK(a.answered(ReadOutcome::Granted));
  a.wait(milliseconds{100});
  a.read(ReadLevel::Linearizable);
  CHECK(a.last<AnswerRead>() == nullptr);
  a.wait(milliseconds{1000});
  CHECK(a.answered(ReadOutcome::NotLeased));
}

TEST_CASE("ReplicationFsm: one copy needs no lease", "[replication]") {
  Subject a;
  a.lead({"a"}, {"a"});
  a.read(ReadLevel::Linearizable);
  CHECK(a.answered(ReadOutcome::Granted));
}

TEST_CASE("ReplicationFsm: a copy reads for sessions and at leisure", "[replication]") {
  Subject a;
  a.read(ReadLevel::Linearizable);
  CHECK(a.answered(ReadOutcome::NotPrimary));
  a.read(ReadLevel::Eventual);
  CHECK(a.answered(ReadOutcome::NotCaughtUp));
  a.receive("b", append(1, {}, 2, 0, 2), heads({1, 1}));
  a.sync();
  a.read(ReadLevel::Session, 2);
  CHECK(a.last<AnswerRead>() == nullptr);
  a.step(Applied{Seq{2}});
  CHECK(a.answered(ReadOutcome::Granted));
  a.read(ReadLevel::Session, 3);
  a.wait(milliseconds{200});
  CHECK(a.answered(ReadOutcome::NotCaughtUp));
  a.read(ReadLevel::Eventual);
  CHECK(a.answered(ReadOutcome::Granted));
  a.wait(seconds{6});
  a.read(ReadLevel::Eventual);
  CHECK(a.answered(ReadOutcome::NotCaughtUp));
}

TEST_CASE("ReplicationFsm: who follows a primary that resigned need not wait", "[replication]") {
  Subject a(disk_of(1, {1}, 1));
  a.receive("b", append(1, at(1, 1), 1, 0, 1));
  const ShardState record = record_of(2, "a", {"a", "b"}, {"a", "b"});
  SECTION("told before") {
    a.receive("b", Resigned{Term{2}});
    a.see(record, 1);
    a.sync();
    CHECK(a.fsm.serving(a.now));
  }
  SECTION("told after") {
    a.see(record, 1);
    a.sync();
    CHECK_FALSE(a.fsm.serving(a.now));
    a.receive("b", Resigned{Term{2}});
    CHECK(a.fsm.serving(a.now));
  }
  SECTION("told of another term") {
    a.receive("b", Resigned{Term{3}});
    a.see(record, 1);
    a.sync();
    CHECK_FALSE(a.fsm.serving(a.now));
  }
}

TEST_CASE("ReplicationFsm: a primary of an older term steps down", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  a.receive("b", Stale{Term{4}});
  CHECK(a.answered(WriteOutcome::Unknown));
  CHECK(a.fsm.role() == Role::Copy);
  CHECK(a.fsm.seen() == Term{4});
  a.write(2);
  CHECK(a.answered(WriteOutcome::NotPrimary));
}
