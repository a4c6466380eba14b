// Which copies of a shard are asked for a read, in which order, and at which level. The copies are
// played; what they were asked is compared with what the rules say of each case by hand.

#include <algorithm>
#include <map>

#include "tests/cluster/routed_world.h"

namespace quiver::cluster {
namespace {

using test::Asked;
using test::hasty;
using test::RoutedWorld;

Result<Seq> refused(ErrorCode code) {
  return Error{code, "not now"};
}

std::string found(const Result<SearchAnswer>& answer) {
  if (!answer.ok()) return answer.error().message;
  std::string out;
  for (const auto& hit : answer->hits) out += hit.point.id.to_json().get<std::string>();
  return out;
}

TEST_CASE("Routed reads: a search asks the copy on this server", "[cluster][routing]") {
  RoutedWorld world('b');
  for (int i = 0; i < 5; ++i) CHECK(found(world.collection->search({}, world.query())) == "b0");
  for (const auto& asked : world.copies.asked()) {
    CHECK(asked.terms == ReadTerms{ReadLevel::Eventual, Seq{0}});
  }
}

TEST_CASE("Routed reads: without a copy here searches go round the others", "[cluster][routing]") {
  RoutedWorld world('d');
  for (int i = 0; i < 9; ++i) REQUIRE(world.collection->search({}, world.query()).ok());
  const auto letters = world.copies.letters();
  for (const char letter : {'a', 'b', 'c'}) {
    CHECK(std::count(letters.begin(), letters.end(), letter) == 3);
  }
}

TEST_CASE("Routed reads: a copy that is not in sync answers no search", "[cluster][routing]") {
  RoutedWorld world('c');
  world.put_shard('b', "ab");
  world.await_shard('b');
  for (int i = 0; i < 6; ++i) REQUIRE(world.collection->search({}, world.query()).ok());
  CHECK(world.copies.letters().find('c') == std::string::npos);
}

TEST_CASE("Routed reads: servers that are down are asked last", "[cluster][routing]") {
  RoutedWorld world('d');
  world.set_up('a', false);
  REQUIRE(world.views->await(RoutedWorld::within(std::chrono::seconds{30}), [](const auto& view) {
    return !view.find_node(test::server('a'))->alive;
  }));
  for (int i = 0; i < 6; ++i) REQUIRE(world.collection->search({}, world.query()).ok());
  CHECK(world.copies.letters().find('a') == std::string::npos);

  world.copies.forget();
  world.copies.behaviour = [](const Asked& asked, const CallContext&) -> Result<Seq> {
    if (asked.copy != 'a') return refused(ErrorCode::Unavailable);
    return Seq{0};
  };
  CHECK(found(world.collection->search({}, world.query())) == "a0");
  CHECK(world.copies.letters().size() == 3);
  CHECK(world.copies.letters().back() == 'a');
}

TEST_CASE("Routed reads: the server with fewer calls under way is asked", "[cluster][routing]") {
  RoutedWorld world('d');
  const CopyRoutes::Busy busy_a(world.copies.routes(), test::server('a'));
  {
    const CopyRoutes::Busy busy_c(world.copies.routes(), test::server('c'));
    for (int i = 0; i < 4; ++i) REQUIRE(world.collection->search({}, world.query()).ok());
    CHECK(world.copies.letters() == "bbbb");
    const CopyRoutes::Busy busy_b(world.copies.routes(), test::server('b'));
    const CopyRoutes::Busy again(world.copies.routes(), test::server('b'));
    CHECK(world.copies.routes().under_way(test::server('b')) == 2);
    world.copies.forget();
    for (int i = 0; i < 4; ++i) REQUIRE(world.collection->search({}, world.query()).ok());
    CHECK(world.copies.letters().find('b') == std::string::npos);
  }
  CHECK(world.copies.routes().under_way(test::server('b')) == 0);
}

TEST_CASE("Routed reads: what one copy cannot do the next one does", "[cluster][routing]") {
  const auto code = GENERATE(ErrorCode::Unavailable, ErrorCode::WrongOwner, ErrorCode::Corruption,
                             ErrorCode::ResourceExhausted, ErrorCode::DeadlineExceeded);
  RoutedWorld world('b');
  world.copies.behaviour = [&](const Asked& asked, const CallContext&) -> Result<Seq> {
    if (asked.copy == 'b') return refused(code);
    return Seq{0};
  };
  const auto answer = world.collection->search({}, world.query());
  REQUIRE(answer.ok());
  CHECK(found(answer) != "b0");
  CHECK(world.copies.letters().size() == 2);
  CHECK(world.copies.letters().front() == 'b');
}

TEST_CASE("Routed reads: what no copy would do otherwise is not tried again",
          "[cluster][routing]") {
  const auto code = GENERATE(ErrorCode::InvalidArgument, ErrorCode::FailedPrecondition,
                             ErrorCode::NotFound, ErrorCode::Internal);
  RoutedWorld world('b');
  world.copies.behaviour = [&](const Asked&, const CallContext&) { return refused(code); };
  CHECK(world.collection->search({}, world.query()).error().code == code);
  CHECK(world.copies.letters() == "b");
}

TEST_CASE("Routed reads: a damaged copy is told of when no other answers", "[cluster][routing]") {
  RoutedWorld world('b');
  world.copies.behaviour = [&](const Asked&, const CallContext&) {
    return refused(ErrorCode::Corruption);
  };
  CHECK(world.collection->search({}, world.query()).error().code == ErrorCode::Corruption);
  CHECK(world.copies.letters().size() == 3);
}

TEST_CASE("Routed reads: all but searches ask the primary for the newest", "[cluster][routing]") {
  RoutedWorld world('b');
  auto& collection = *world.collection;
  REQUIRE(collection.get({}, {PointId(1)}, {}).ok());
  REQUIRE(collection.scroll({}, std::nullopt, std::nullopt, 5, {}).ok());
  CHECK(collection.count({}, std::nullopt).value() == 5);
  REQUIRE(collection.fields({}, 5).ok());
  REQUIRE(collection.stats({}).ok());
  CHECK(world.copies.letters() == "aaaaa");
  std::vector<std::string> whats;
  for (const auto& asked : world.copies.asked()) {
    whats.push_back(asked.what);
    CHECK(asked.terms == ReadTerms{});
  }
  CHECK(whats == std::vector<std::string>{"get", "scroll", "count", "fields", "stats"});
}

TEST_CASE("Routed reads: the call says at which level, else the collection", "[cluster][routing]") {
  RoutedWorld world('b', hasty(), 1, ReadLevel::Eventual);
  REQUIRE(world.collection->count({}, std::nullopt).ok());
  CHECK(world.copies.letters() == "b");
  CallContext newest;
  newest.read_level = ReadLevel::Linearizable;
  REQUIRE(world.collection->count(newest, std::nullopt).ok());
  REQUIRE(world.collection->search(newest, world.query()).ok());
  CHECK(world.copies.letters() == "baa");
  CHECK(world.copies.asked().back().terms == ReadTerms{});

  RoutedWorld strict('b', hasty(), 1, ReadLevel::Linearizable);
  REQUIRE(strict.collection->search({}, strict.query()).ok());
  CHECK(strict.copies.letters() == "a");
  CallContext any;
  any.read_level = ReadLevel::Eventual;
  REQUIRE(strict.collection->search(any, strict.query()).ok());
  CHECK(strict.copies.letters() == "ab");
}

TEST_CASE("Routed reads: a session sees what was written through this server",
          "[cluster][routing]") {
  auto options = hasty();
  const bool fresh = GENERATE(false, true);
  options.fresh = fresh ? std::chrono::hours{1} : std::chrono::milliseconds{0};
  RoutedWorld world('b', options, 2);
  CallContext session;
  session.read_level = ReadLevel::Session;
  REQUIRE(world.collection->search(session, world.query()).ok());
  for (const auto& asked : world.copies.asked()) {
    CHECK(asked.copy == 'b');
    CHECK(asked.terms == ReadTerms{ReadLevel::Eventual, Seq{0}});
  }

  world.copies.behaviour = [](const Asked&, const CallContext&) -> Result<Seq> { return Seq{17}; };
  REQUIRE(world.collection->upsert({}, {RoutedWorld::point(1)}).ok());
  const auto written = world.copies.asked().back().shard;
  world.copies.forget();
  REQUIRE(world.collection->search(session, world.query()).ok());
  REQUIRE(world.copies.asked().size() == 2);
  for (const auto& asked : world.copies.asked()) {
    if (asked.shard == written) {
      CHECK(asked.terms == ReadTerms{ReadLevel::Session, Seq{17}});
      CHECK(asked.copy == (fresh ? 'a' : 'b'));
    } else {
      CHECK(asked.terms == ReadTerms{ReadLevel::Eventual, Seq{0}});
      CHECK(asked.copy == 'b');
    }
  }
}

TEST_CASE("Routed reads: a token that no copy reaches is the primary's to judge",
          "[cluster][routing]") {
  auto options = hasty();
  options.fresh = std::chrono::milliseconds{0};
  RoutedWorld world('b', options);
  world.copies.routes().tokens().raise(world.spec.id, ShardId{0}, Seq{99}, {});
  world.copies.behaviour = [](const Asked& asked, const CallContext&) -> Result<Seq> {
    if (asked.terms.level == ReadLevel::Session) return refused(ErrorCode::Unavailable);
    return Seq{0};
  };
  CallContext session;
  session.read_level = ReadLevel::Session;
  REQUIRE(world.collection->count(session, std::nullopt).ok());
  const auto asked = world.copies.asked();
  REQUIRE(asked.size() == 4);
  CHECK(asked.front().copy == 'b');
  CHECK(asked.back().copy == 'a');
  CHECK(asked.back().terms == ReadTerms{});
}

TEST_CASE("Routed reads: a slow copy gets company, and is let go of", "[cluster][routing]") {
  auto options = hasty();
  options.hedge_min = std::chrono::milliseconds{1};
  RoutedWorld world('b', options);
  std::atomic<bool> let_go{false};
  world.copies.behaviour = [&](const Asked& asked, const CallContext& call) -> Result<Seq> {
    if (asked.copy != 'b') return Seq{0};
    while (call.check().ok()) std::this_thread::yield();
    let_go = call.cancel.cancelled();
    return refused(ErrorCode::DeadlineExceeded);
  };
  const auto answer =
      world.collection->search(RoutedWorld::within(std::chrono::seconds{60}), world.query());
  REQUIRE(answer.ok());
  CHECK(found(answer) != "b0");
  CHECK(let_go);
  CHECK(world.copies.letters().size() == 2);
}

TEST_CASE("Routed reads: a collection may answer without shards none of whose copies do",
          "[cluster][routing]") {
  RoutedWorld world('a', hasty(), 2);
  world.copies.behaviour = [](const Asked& asked, const CallContext&) -> Result<Seq> {
    if (asked.shard == 1) return refused(ErrorCode::Unavailable);
    return Seq{0};
  };
  auto query = RoutedWorld::query();
  query.allow_partial = true;
  const auto answer = world.collection->search({}, query);
  REQUIRE(answer.ok());
  CHECK(found(answer) == "a0");
  REQUIRE(answer->missing.size() == 1);
  CHECK(answer->missing.front().shard == 1);
  // All three, twice.
  const auto asked = world.copies.asked();
  CHECK(std::count_if(asked.begin(), asked.end(),
                      [](const Asked& each) { return each.shard == 1; }) == 6);
}

TEST_CASE("Routed reads: a shard without a copy that may answer says so", "[cluster][routing]") {
  RoutedWorld world('b');
  world.copies.behaviour = [](const Asked&, const CallContext&) {
    return refused(ErrorCode::WrongOwner);
  };
  const auto lost =
      world.collection->search(RoutedWorld::within(std::chrono::milliseconds{40}), world.query());
  CHECK(lost.error().code == ErrorCode::Unavailable);
  CHECK(lost.error().message == "shard 0 of collection \"notes\" is changing servers; try again");
}

}  // namespace
}  // namespace quiver::cluster
