// The parts of cluster/replication that stand alone: histories against a search through all
// entries, promotion and options against cases worked out by hand.

#include <catch2/catch.hpp>

#include "cluster/replication/promotion.h"
#include "tests/simulation/fsm_fixture.h"
#include "tests/simulation/random.h"

using namespace quiver;
using namespace quiver::simulation;

namespace {

std::string message(const Status& status) {
  return status.ok() ? std::string{} : status.error().message;
}

History history(const std::vector<std::uint64_t>& terms) {
  return disk_of(0, terms, terms.size()).history;
}

}  // namespace

TEST_CASE("History: the common point is the last entry that both logs hold", "[replication]") {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    // Two logs that part somewhere, as two primaries would make them.
    std::vector<std::uint64_t> a;
    std::uint64_t term = 1;
    for (std::uint64_t i = random.below(8); i > 0; --i) a.push_back(term += random.below(2));
    std::vector<std::uint64_t> b = a;
    b.resize(b.size() - random.below(b.size() + 1));
    const std::uint64_t shared = b.size();
    std::uint64_t other = term + 1;
    for (std::uint64_t i = random.below(4); i > 0; --i) b.push_back(other += random.below(2));
    // What is left of `a` behind the shared part has terms that `b` has not.
    CHECK(common_point(history(a), history(b)) == Seq{shared});
    CHECK(common_point(history(b), history(a)) == Seq{shared});
  }
}

TEST_CASE("History: it knows the term of each entry", "[replication]") {
  History log = history({1, 1, 3, 3, 3, 4});
  CHECK(log.reigns().size() == 3);
  CHECK(log.last() == LogPosition{Term{4}, Seq{6}});
  CHECK(log.contains({Term{3}, Seq{3}}));
  CHECK(log.contains({Term{0}, Seq{0}}));
  CHECK_FALSE(log.contains({Term{1}, Seq{3}}));
  CHECK_FALSE(log.contains({Term{4}, Seq{7}}));
  CHECK_FALSE(log.contains({Term{0}, Seq{3}}));
  log.truncate_after(Seq{3});
  CHECK(log == history({1, 1, 3}));
  CHECK(log.check());
  log.truncate_after(Seq{0});
  CHECK(log == History{});
}

TEST_CASE("History: what no log can be is told apart", "[replication]") {
  CHECK(History({}, Seq{0}).check());
  CHECK_FALSE(History({}, Seq{1}).check());
  CHECK(History({{Term{1}, Seq{5}}}, Seq{9}).check());
  CHECK_FALSE(History({{Term{1}, Seq{5}}}, Seq{4}).check());
  CHECK_FALSE(History({{Term{0}, Seq{1}}}, Seq{4}).check());
  CHECK_FALSE(History({{Term{1}, Seq{0}}}, Seq{4}).check());
  CHECK_FALSE(History({{Term{2}, Seq{1}}, {Term{2}, Seq{3}}}, Seq{4}).check());
  CHECK_FALSE(History({{Term{2}, Seq{3}}, {Term{3}, Seq{3}}}, Seq{4}).check());
}

TEST_CASE("promote: the copy in sync with the longest log follows", "[replication]") {
  const ShardState record = record_of(4, "a", {"a", "b", "c"}, {"a", "b", "c", "d"});
  const auto at = [](const char* name, std::uint64_t term, std::uint64_t seq) {
    return CopyReport{copy(name), {Term{term}, Seq{seq}}};
  };
  const std::vector reports{at("a", 4, 99), at("b", 3, 12), at("c", 4, 10), at("d", 4, 50)};
  const auto promoted = promote(record, reports);
  REQUIRE(promoted.has_value());
  CHECK(promoted->primary == copy("c"));
  CHECK(promoted->term == Term{5});
  CHECK(promoted->in_sync == std::vector{copy("b"), copy("c")});
  CHECK(promoted->copies == record.copies);
  CHECK(promoted->epoch == record.epoch + 1);
  const std::vector strangers{at("a", 4, 99), at("d", 4, 50)};
  CHECK_FALSE(promote(record, strangers).has_value());
}

TEST_CASE("force_promote: any copy of the record, at somebody's word", "[replication]") {
  const ShardState record = record_of(4, "a", {"a", "b"}, {"a", "b", "d"});
  const auto forced = force_promote(record, copy("d"));
  REQUIRE(forced.has_value());
  CHECK(forced->primary == copy("d"));
  CHECK(forced->in_sync == std::vector{copy("d")});
  CHECK(forced->term == Term{5});
  CHECK_FALSE(force_promote(record, copy("x")).has_value());
}

TEST_CASE("add_copy and drop_copy: only copies out of sync come and go", "[replication]") {
  const ShardState record = record_of(4, "a", {"a", "b"}, {"a", "b", "d"});
  const auto more = add_copy(record, copy("e"), {"node"});
  REQUIRE(more.has_value());
  CHECK(more->copies.at(copy("e")).state == cluster::CopyState::New);
  CHECK(more->in_sync == record.in_sync);
  CHECK_FALSE(add_copy(record, copy("d"), {"node"}).has_value());
  const auto less = drop_copy(record, copy("d"));
  REQUIRE(less.has_value());
  CHECK(less->copies.size() == 2);
  CHECK_FALSE(drop_copy(record, copy("a")).has_value());
  CHECK_FALSE(drop_copy(record, copy("b")).has_value());
  CHECK_FALSE(drop_copy(record, copy("x")).has_value());
}

TEST_CASE("ReplicationOptions: what contradicts itself is named", "[replication]") {
  CHECK(message(ReplicationOptions{}.check()).empty());
  const auto wrong = [](void (*change)(ReplicationOptions&)) {
    ReplicationOptions changed;
    change(changed);
    const std::string text = message(changed.check());
    return text.substr(0, text.find(':'));
  };
  CHECK(wrong([](auto& o) { o.min_in_sync = 0; }) == "min_in_sync");
  CHECK(wrong([](auto& o) { o.tick = {}; }) == "tick");
  CHECK(wrong([](auto& o) { o.heartbeat = milliseconds{50}; }) == "heartbeat");
  CHECK(wrong([](auto& o) { o.lease = milliseconds{900}; }) == "lease");
  CHECK(wrong([](auto& o) { o.grace = seconds{2}; }) == "grace");
  CHECK(wrong([](auto& o) { o.eject_after = milliseconds{900}; }) == "eject_after");
  CHECK(wrong([](auto& o) { o.swap_retry = {}; }) == "swap_retry");
  CHECK(wrong([](auto& o) { o.snapshot_retry = {}; }) == "snapshot_retry");
  CHECK(wrong([](auto& o) { o.join_lag = {}; }) == "join_lag");
  CHECK(wrong([](auto& o) { o.batch_entries = 0; }) == "batch_entries");
  CHECK(wrong([](auto& o) { o.pipeline = 0; }) == "pipeline");
  CHECK(wrong([](auto& o) { o.waiting_max = 0; }) == "waiting_max");
}
