// That the simulation can fail: its judges on histories with planted faults, and on wrong rules.

#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace quiver;
using namespace quiver::simulation;

namespace {

using Kind = ClientOp::Kind;

ClientOp op(Kind kind, WriteId write, std::uint64_t seq, std::int64_t began, std::int64_t ended) {
  ClientOp result;
  result.kind = kind;
  result.write = write;
  result.version = LogPosition{Term{1}, Seq{seq}};
  result.began = began;
  result.ended = ended;
  return result;
}

/// Three writes one after the other, the last an erasure, and reads that see them.
std::vector<ClientOp> calm() {
  std::vector<ClientOp> ops{op(Kind::Write, 1, 1, 0, 10),   op(Kind::Newest, 1, 1, 11, 12),
                            op(Kind::Write, 2, 2, 20, 30),  op(Kind::Newest, 1, 1, 21, 22),
                            op(Kind::Newest, 2, 2, 23, 24), op(Kind::Erase, 3, 3, 40, 50),
                            op(Kind::Newest, 3, 3, 60, 61)};
  ops.back().absent = true;
  return ops;
}

std::string fault(const std::vector<ClientOp>& ops) {
  const std::string text = contradiction(ops).value_or("");
  return text.substr(0, text.find_first_of(",:"));
}

}  // namespace

TEST_CASE("op history: what one register explains is no contradiction", "[simulation]") {
  CHECK(fault(calm()).empty());
  auto ops = calm();
  // Whose outcome was never known may be seen or not.
  ops.push_back(op(Kind::Write, 4, 0, 70, 0));
  ops.back().version.reset();
  ops.back().ended.reset();
  CHECK(fault(ops).empty());
  ops.push_back(op(Kind::Newest, 4, 4, 90, 91));
  CHECK(fault(ops).empty());
}

TEST_CASE("op history: planted faults are found", "[simulation]") {
  auto ops = calm();
  SECTION("a stale read") {
    ops.push_back(op(Kind::Newest, 2, 2, 70, 71));
    CHECK(fault(ops) == "a stale read");
  }
  SECTION("an erased key that comes back for a session") {
    ops.push_back(op(Kind::Session, 2, 2, 70, 71));
    CHECK(fault(ops).rfind("a session that went back", 0) == 0);
  }
  SECTION("a read before anything") {
    ops.push_back(op(Kind::Newest, 0, 0, 70, 71));
    ops.back().version = LogPosition{};
    ops.back().absent = true;
    CHECK(fault(ops) == "a stale read");
  }
  SECTION("a version that goes back") {
    ops.push_back(op(Kind::Write, 4, 2, 70, 71));
    CHECK_FALSE(fault(ops).empty());
  }
  SECTION("a value for an erasure") {
    ops.back().absent = false;
    CHECK(fault(ops) == "a value for an erasure");
  }
  SECTION("a write that nobody asked for") {
    ops.push_back(op(Kind::Newest, 9, 9, 70, 71));
    CHECK(fault(ops) == "a write that was never asked for");
  }
  SECTION("a write of another key") {
    ops.push_back(op(Kind::Eventual, 2, 2, 70, 71));
    ops.back().key = 1;
    CHECK_FALSE(fault(ops).empty());
  }
  SECTION("a read from the future") {
    ops.push_back(op(Kind::Write, 4, 4, 80, 90));
    ops.push_back(op(Kind::Eventual, 4, 4, 70, 71));
    CHECK(fault(ops) == "a read from the future");
  }
  SECTION("one version of two writes") {
    ops.push_back(op(Kind::Eventual, 1, 2, 70, 71));
    CHECK_FALSE(fault(ops).empty());
  }
}

TEST_CASE("judge: copies that differ and writes that return are found", "[simulation]") {
  const Entry first{Term{1}, 1, 0, false};
  const Entry second{Term{1}, 2, 0, false};
  Judge judge;
  judge.applied('a', Seq{1}, first);
  judge.applied('b', Seq{1}, first);
  judge.acknowledged({Term{1}, Seq{1}}, 1);
  judge.reigned('a', Term{1});
  judge.finish();
  REQUIRE_FALSE(judge.violation().has_value());
  SECTION("another entry") {
    judge.applied('b', Seq{1}, second);
  }
  SECTION("a gap") {
    judge.applied('b', Seq{3}, second);
  }
  SECTION("twice") {
    judge.applied('b', Seq{2}, first);
  }
  SECTION("acknowledged and nowhere") {
    judge.acknowledged({Term{1}, Seq{2}}, 2);
  }
  SECTION("acknowledged and replaced") {
    judge.acknowledged({Term{1}, Seq{1}}, 2);
  }
  SECTION("two primaries") {
    judge.reigned('b', Term{1});
  }
  SECTION("refused and done") {
    judge.refused(1);
    judge.finish();
  }
  CHECK(judge.violation().has_value());
}

TEST_CASE("simulation: a seed is the same whenever it is run", "[simulation]") {
  for (std::uint64_t seed = 100; seed < 105; ++seed) {
    const Outcome once = simulate(seed, variants().front());
    const Outcome again = simulate(seed, variants().front());
    CHECK(once.digest == again.digest);
    CHECK(once.stats.steps == again.stats.steps);
    CHECK(once.stats.acknowledged == again.stats.acknowledged);
  }
}

TEST_CASE("simulation: every trouble happens", "[simulation]") {
  Stats stats;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    stats.add(simulate(seed, variants().front()).stats);
  }
  Stats::each([&](const char* name, std::uint64_t Stats::*field) {
    INFO(name);
    CHECK(stats.*field > 0);
  });
}

TEST_CASE("simulation: each wrong rule is found out", "[simulation]") {
  // Several times what the slowest of them takes.
  constexpr std::uint64_t kSeeds = 12'000;
  for (const Variant& variant : variants()) {
    if (&variant == &variants().front()) continue;
    bool found = false;
    for (std::uint64_t seed = 0; seed < kSeeds && !found; ++seed) {
      found = simulate(seed, variant).violation.has_value();
    }
    INFO(variant.name << ": " << variant.what);
    CHECK(found);
  }
}
