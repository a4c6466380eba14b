// A primary step by step, against answers worked out by hand from the rules of docs/replication.md.

#include <catch2/catch.hpp>

#include "tests/simulation/fsm_fixture.h"

using namespace quiver;
using namespace quiver::simulation;

TEST_CASE("ReplicationFsm: a primary serves when its term is on disk and the grace is over",
          "[replication]") {
  Subject a;
  a.see(record_of(2, "a", {"a"}, {"a"}), 1);
  REQUIRE(a.last<PersistTerm>() != nullptr);
  CHECK(a.last<PersistTerm>()->term == Term{2});
  a.write(1);
  CHECK(a.answered(WriteOutcome::NotServing));
  CHECK(a.fsm.role() == Role::Promoted);
  a.sync();
  CHECK(a.fsm.role() == Role::Primary);
  a.wait(milliseconds{2900});
  CHECK_FALSE(a.fsm.serving(a.now));
  a.write(2);
  CHECK(a.answered(WriteOutcome::NotServing));
  a.wait(milliseconds{100});
  CHECK(a.fsm.serving(a.now));
}

TEST_CASE("ReplicationFsm: before the first term nobody was primary: there is nothing to wait for",
          "[replication]") {
  Subject a;
  a.see(record_of(1, "a", {"a"}, {"a"}), 1);
  CHECK_FALSE(a.fsm.serving(a.now));
  a.sync();
  CHECK(a.fsm.serving(a.now));
}

TEST_CASE("ReplicationFsm: a write is answered when every required copy has it durably",
          "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(5, 1);
  REQUIRE(a.last<AppendWrite>() != nullptr);
  CHECK(a.last<AppendWrite>()->position == LogPosition{Term{1}, Seq{1}});
  REQUIRE(a.sent<Append>() != nullptr);
  CHECK(a.sent<Append>()->through == Seq{1});

  SECTION("own disk first") {
    a.sync();
    CHECK(a.last<AnswerWrite>() == nullptr);
    a.acknowledge(1);
  }
  SECTION("the other copy first") {
    a.acknowledge(1);
    CHECK(a.last<AnswerWrite>() == nullptr);
    a.sync();
  }
  REQUIRE(a.answered(WriteOutcome::Done));
  CHECK(a.last<AnswerWrite>()->position == LogPosition{Term{1}, Seq{1}});
  REQUIRE(a.last<ApplyThrough>() != nullptr);
  CHECK(a.last<ApplyThrough>()->seq == Seq{1});
}

TEST_CASE("ReplicationFsm: a request id takes effect once", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1, 7);
  a.write(2, 7);
  CHECK(a.last<AppendWrite>() == nullptr);
  CHECK(a.last<AnswerWrite>() == nullptr);
  a.sync();
  a.acknowledge(1);
  const auto answers = std::count_if(a.actions.begin(), a.actions.end(), [](const Action& each) {
    return std::holds_alternative<AnswerWrite>(each);
  });
  CHECK(answers == 2);
  a.write(3, 7);
  CHECK(a.answered(WriteOutcome::DoneBefore));
  a.step(Applied{Seq{1}});
  a.write(4, 7, Seen::Applied);
  CHECK(a.answered(WriteOutcome::DoneBefore));
  a.write(5, 8, Seen::TooOld);
  CHECK(a.answered(WriteOutcome::RetryTooOld));
  // Without a request id each is a write of its own.
  a.write(6);
  a.write(7);
  CHECK(a.fsm.log().tail() == Seq{3});
}

TEST_CASE("ReplicationFsm: a write that waits for too long has an unknown outcome",
          "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.step(WriteAsked{Tag{1}, {}, Seen::No, a.now + milliseconds{300}});
  a.wait(milliseconds{200});
  CHECK(a.last<AnswerWrite>() == nullptr);
  a.wait(milliseconds{200});
  CHECK(a.answered(WriteOutcome::Unknown));
}

TEST_CASE("ReplicationFsm: a silent copy holds writes up until its ejection is confirmed",
          "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  a.sync();
  a.wait(milliseconds{2200});
  const SwapRecord* const swap = a.last<SwapRecord>();
  REQUIRE(swap != nullptr);
  CHECK(swap->expected == Revision{1});
  CHECK(swap->desired->in_sync == std::vector{copy("a")});
  CHECK(swap->desired->term == Term{1});
  CHECK(swap->desired->epoch == 2);
  const SwapId id = swap->id;

  SECTION("done") {
    a.step(SwapAnswered{id, SwapOutcome::Done, Revision{2}});
    CHECK(a.answered(WriteOutcome::Done));
  }
  SECTION("not known: it is asked again, of the same revision, and a failure then tells nothing") {
    a.step(SwapAnswered{id, SwapOutcome::Unknown, {}});
    CHECK(a.last<AnswerWrite>() == nullptr);
    a.wait(milliseconds{600});
    REQUIRE(a.last<SwapRecord>() != nullptr);
    CHECK(a.last<SwapRecord>()->expected == Revision{1});
    a.step(SwapAnswered{a.last<SwapRecord>()->id, SwapOutcome::NotWritten, {}});
    a.wait(milliseconds{600});
    REQUIRE(a.last<SwapRecord>() != nullptr);
    CHECK(a.last<SwapRecord>()->expected == Revision{1});
    a.step(SwapAnswered{a.last<SwapRecord>()->id, SwapOutcome::Conflict, {}});
    CHECK(a.last<ReadRecord>() != nullptr);
    CHECK(a.last<AnswerWrite>() == nullptr);
    // An older record tells nothing, a newer one settles it.
    a.see(record_of(1, "a", {"a", "b"}, {"a", "b"}), 1);
    CHECK(a.last<AnswerWrite>() == nullptr);
    a.see(record_of(1, "a", {"a"}, {"a", "b"}), 2);
    CHECK(a.answered(WriteOutcome::Done));
  }
  SECTION("deposed meanwhile") {
    a.see(record_of(2, "b", {"b"}, {"a", "b"}), 2);
    CHECK(a.answered(WriteOutcome::Unknown));
    CHECK(a.fsm.role() == Role::Copy);
  }
}

TEST_CASE("ReplicationFsm: a copy is waited for before it is called in sync", "[replication]") {
  Subject a;
  a.see(record_of(1, "a", {"a"}, {"a", "b"}), 1);
  a.sync();
  a.wait(seconds{3});
  a.write(1);
  a.sync();
  CHECK(a.answered(WriteOutcome::Done));
  a.acknowledge(0);
  // It lacks what is committed: writes wait for it, the record does not name it.
  CHECK(a.last<SwapRecord>() == nullptr);
  a.acknowledge(1);
  REQUIRE(a.last<SwapRecord>() != nullptr);
  CHECK(a.last<SwapRecord>()->desired->in_sync == std::vector{copy("a"), copy("b")});
  const SwapId id = a.last<SwapRecord>()->id;
  a.write(2);
  a.sync();
  CHECK(a.last<AnswerWrite>() == nullptr);
  SECTION("surely not written: nobody waits for it") {
    a.step(SwapAnswered{id, SwapOutcome::NotWritten, {}});
    CHECK(a.answered(WriteOutcome::Done));
  }
  SECTION("written") {
    a.step(SwapAnswered{id, SwapOutcome::Done, Revision{2}});
    CHECK(a.last<AnswerWrite>() == nullptr);
    a.acknowledge(2);
    CHECK(a.answered(WriteOutcome::Done));
  }
}

TEST_CASE("ReplicationFsm: a restarted primary asks for a new term first", "[replication]") {
  Subject a(disk_of(1, {1, 1}, 1));
  a.see(record_of(1, "a", {"a"}, {"a"}), 4);
  CHECK(a.fsm.role() == Role::Claiming);
  REQUIRE(a.last<SwapRecord>() != nullptr);
  CHECK(a.last<SwapRecord>()->desired->term == Term{2});
  CHECK(a.last<SwapRecord>()->expected == Revision{4});
  a.step(SwapAnswered{a.last<SwapRecord>()->id, SwapOutcome::Done, Revision{5}});
  REQUIRE(a.last<PersistTerm>() != nullptr);
  CHECK(a.last<PersistTerm>()->term == Term{2});
  a.sync();
  a.wait(seconds{3});
  CHECK(a.fsm.serving(a.now));
  // What it had and never acknowledged is committed now.
  CHECK(a.fsm.commit() == Seq{2});
}

TEST_CASE("ReplicationFsm: too few copies in sync refuse writes", "[replication]") {
  ReplicationOptions options;
  options.min_in_sync = 2;
  Subject a({}, options);
  a.see(record_of(1, "a", {"a"}, {"a"}), 1);
  a.sync();
  a.wait(seconds{3});
  a.write(1);
  CHECK(a.answered(WriteOutcome::TooFewCopies));
}

TEST_CASE("ReplicationFsm: more writes than may wait are refused", "[replication]") {
  ReplicationOptions options;
  options.waiting_max = 2;
  Subject a({}, options);
  a.lead({"a"}, {"a"});
  a.write(1);
  a.write(2);
  a.write(3);
  CHECK(a.answered(WriteOutcome::TooMany));
}

TEST_CASE("ReplicationFsm: a log that parts is sent from the common point", "[replication]") {
  Subject a(disk_of(2, {1, 1, 2, 2}, 4));
  a.see(record_of(3, "a", {"a", "b"}, {"a", "b"}), 1);
  a.sync();
  REQUIRE(a.sent<Append>() != nullptr);
  CHECK(a.sent<Append>()->prev == LogPosition{Term{2}, Seq{4}});
  History other;
  for (int i = 0; i < 6; ++i) other.append(Term{1});
  SECTION("by entries") {
    a.receive("b", Mismatch{Term{3}, other, Seq{2}});
    REQUIRE(a.sent<Append>() != nullptr);
    CHECK(a.sent<Append>()->prev == LogPosition{Term{1}, Seq{2}});
    CHECK(a.sent<Append>()->through == Seq{4});
  }
  SECTION("by a snapshot, if they are trimmed") {
    a.step(Trimmed{Seq{4}});
    a.receive("b", Mismatch{Term{3}, other, Seq{2}});
    REQUIRE(a.last<SendSnapshot>() != nullptr);
    // What does not arrive is sent again, but not at once.
    a.step(SnapshotEnded{copy("b"), false});
    CHECK(a.last<SendSnapshot>() == nullptr);
    a.wait(milliseconds{1200});
    a.receive("b", Mismatch{Term{3}, other, Seq{2}});
    CHECK(a.last<SendSnapshot>() != nullptr);
  }
  SECTION("by a snapshot, if it has shown what is to be undone") {
    a.receive("b", Mismatch{Term{3}, other, Seq{3}});
    CHECK(a.last<SendSnapshot>() != nullptr);
  }
  SECTION("a history that cannot be is not believed") {
    a.receive("b", Mismatch{Term{3}, History({{Term{2}, Seq{1}}, {Term{1}, Seq{2}}}, Seq{3}), {}});
    CHECK(a.actions.empty());
  }
}

TEST_CASE("ReplicationFsm: what is not answered is sent again", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  CHECK(a.sent<Append>()->through == Seq{1});
  a.wait(milliseconds{600});
  bool again = false;
  for (const Action& action : a.actions) {
    const Send* const send = std::get_if<Send>(&action);
    if (send == nullptr) continue;
    const Append* const append = std::get_if<Append>(&send->message);
    again = again || (append != nullptr && append->prev.seq == Seq{0} && append->through == Seq{1});
  }
  CHECK(again);
}

TEST_CASE("ReplicationFsm: writes gather while a copy has enough to answer", "[replication]") {
  ReplicationOptions options;
  options.pipeline = 2;
  options.batch_entries = 10;
  Subject a({}, options);
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  a.write(2);
  CHECK(a.sent<Append>()->through == Seq{2});
  a.write(3);
  a.write(4);
  CHECK(a.sent<Append>() == nullptr);
  a.acknowledge(1);
  REQUIRE(a.sent<Append>() != nullptr);
  CHECK(a.sent<Append>()->prev.seq == Seq{2});
  CHECK(a.sent<Append>()->through == Seq{4});
}

TEST_CASE("ReplicationFsm: its own pause counts against no copy", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.acknowledge(0);
  a.step(Tick{}, seconds{20});
  CHECK(a.last<SwapRecord>() == nullptr);
  // Nor does it make the lease any longer.
  a.read(ReadLevel::Linearizable);
  CHECK(a.last<AnswerRead>() == nullptr);
}

TEST_CASE("ReplicationFsm: the role is handed over when all is committed", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  a.sync();
  a.step(HandOffAsked{copy("b")});
  CHECK(a.last<SwapRecord>() == nullptr);
  a.write(2);
  CHECK(a.answered(WriteOutcome::HandingOff));
  a.acknowledge(1);
  CHECK(a.answered(WriteOutcome::Done));
  a.wait(milliseconds{100});
  REQUIRE(a.last<SwapRecord>() != nullptr);
  const ShardState desired = *a.last<SwapRecord>()->desired;
  CHECK(desired.primary == copy("b"));
  CHECK(desired.term == Term{2});
  CHECK(desired.in_sync == std::vector{copy("a"), copy("b")});
  CHECK(a.sent<Resigned>() == nullptr);
  SECTION("done") {
    a.step(SwapAnswered{a.last<SwapRecord>()->id, SwapOutcome::Done, Revision{2}});
    REQUIRE(a.sent<Resigned>() != nullptr);
    CHECK(a.sent<Resigned>()->next == Term{2});
    CHECK(a.fsm.role() == Role::Copy);
  }
  SECTION("seen before the answer") {
    a.see(desired, 2);
    CHECK(a.sent<Resigned>() != nullptr);
  }
  SECTION("surely not written: it goes on") {
    a.step(SwapAnswered{a.last<SwapRecord>()->id, SwapOutcome::NotWritten, {}});
    a.write(3);
    CHECK(a.last<AppendWrite>() != nullptr);
  }
}

TEST_CASE("ReplicationFsm: a hand-off that cannot be is given up", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b", "c"});
  a.step(HandOffAsked{copy("x")});
  a.write(1);
  CHECK(a.last<AppendWrite>() != nullptr);
  a.step(HandOffAsked{copy("b")});
  for (int i = 0; i < 14; ++i) {
    a.acknowledge(0);
    a.wait(milliseconds{400});
  }
  a.write(2);
  CHECK(a.last<AppendWrite>() != nullptr);
}

TEST_CASE("ReplicationFsm: a copy is dropped by its primary", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.step(DropAsked{copy("a")});
  CHECK(a.last<SwapRecord>() == nullptr);
  a.step(DropAsked{copy("b")});
  REQUIRE(a.last<SwapRecord>() != nullptr);
  CHECK(a.last<SwapRecord>()->desired->in_sync == std::vector{copy("a")});
  CHECK(a.last<SwapRecord>()->desired->copies.count(copy("b")) == 0);
}

TEST_CASE("ReplicationFsm: after an error of its disk it answers nobody", "[replication]") {
  Subject a;
  a.lead({"a", "b"}, {"a", "b"});
  a.write(1);
  a.read(ReadLevel::Session, 5);
  a.step(DiskFailed{});
  CHECK(a.answered(WriteOutcome::Unknown));
  CHECK(a.answered(ReadOutcome::Failed));
  CHECK(a.fsm.role() == Role::Failed);
  a.sync();
  CHECK(a.actions.empty());
  a.write(2);
  CHECK(a.answered(WriteOutcome::Failed));
  a.receive("b", Append{Term{5}, {}, {}, {}, {}, Standing::InSync, a.now});
  CHECK(a.actions.empty());
  a.step(Tick{});
  CHECK(a.actions.empty());
}
