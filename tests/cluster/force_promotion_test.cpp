// A person accepts the loss of writes: what is refused, what is done, and what is kept of it.

#include "cluster/upkeep/force_promotion.h"

#include "tests/cluster/copy_servers.h"

namespace quiver::cluster {
namespace {

using namespace testing;
using Catch::Contains;

thrift::CopyPosition at(std::uint64_t term, std::uint64_t seq) {
  thrift::CopyPosition out;
  out.last = {Term{term}, Seq{seq}};
  return out;
}

/// Four copies: 0 and 1 in sync and gone, 2 and 3 behind.
struct Wreck {
  Wreck() : world(5, {0, 1, 2, 3}) {
    auto state = world.state();
    state.in_sync = {CopyServers::copy(0), CopyServers::copy(1)};
    state.term = Term{5};
    world.put(state);
    world.server(0).be_silent(true);
    world.away = {CopyServers::node(1)};
    world.says(2, at(3, 40));
    world.says(3, at(4, 7));
  }

  ForcePromotion promotion() {
    return ForcePromotion({*world.store, *world.views, world.clock, world.fan_out, world.reach(),
                           std::chrono::milliseconds(3'000), pause});
  }
  Result<ForcePromotionRecord> run(const ForcePromotionRequest& wanted) {
    return promotion().run(call, wanted);
  }
  void refuses(const ForcePromotionRequest& wanted, ErrorCode code, const std::string& words) {
    const auto before = world.state();
    const auto outcome = run(wanted);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().code == code);
    CHECK_THAT(outcome.error().message, Contains(words));
    CHECK(world.state() == before);
    CHECK(promotion().list({})->empty());
  }

  CopyServers world;
  CallContext call;
  std::chrono::milliseconds pause{1};
  ForcePromotionRequest request{"docs", ShardId{0}, std::nullopt, true, "both disks are gone"};
};

TEST_CASE("Force promotion: the longest log that answers, and a record of it",
          "[cluster][upkeep]") {
  Wreck wreck;
  const auto done = wreck.run(wreck.request);
  INFO((done.ok() ? "" : done.error().message));
  REQUIRE(done.ok());
  const auto state = wreck.world.state();
  CHECK(state.primary == CopyServers::copy(3));
  CHECK(state.in_sync == std::vector<CopyId>{CopyServers::copy(3)});
  CHECK(state.term == Term{6});
  CHECK(state.copies.size() == 4);
  CHECK(wreck.world.views->current()->find_collection("docs")->shards[0] == state);

  CHECK(done->collection == "docs");
  CHECK(done->collection_id == CopyServers::kCollection);
  CHECK(done->copy == CopyServers::copy(3));
  CHECK(done->node == CopyServers::node(3));
  CHECK(done->last == LogPosition{Term{4}, Seq{7}});
  CHECK(done->term == Term{6});
  CHECK(done->given_up == std::vector<CopyId>{CopyServers::copy(0), CopyServers::copy(1)});
  CHECK(done->reason == "both disks are gone");
  CHECK(done->at_ms == wreck.world.clock.wall_ms());
  const auto kept = wreck.promotion().list({});
  REQUIRE(kept.ok());
  CHECK(*kept == std::vector<ForcePromotionRecord>{*done});
}

TEST_CASE("Force promotion: of the node that a person names", "[cluster][upkeep]") {
  Wreck wreck;
  wreck.request.node = CopyServers::node(2);
  const auto done = wreck.run(wreck.request);
  REQUIRE(done.ok());
  CHECK(wreck.world.state().primary == CopyServers::copy(2));
}

TEST_CASE("Force promotion: refused while a copy with all writes answers", "[cluster][upkeep]") {
  Wreck wreck;
  SECTION("the primary") {
    wreck.world.server(0).be_silent(false);
    wreck.refuses(wreck.request, ErrorCode::FailedPrecondition, "node \"n0\" answers");
  }
  SECTION("another") {
    wreck.world.away.clear();
    wreck.refuses(wreck.request, ErrorCode::FailedPrecondition, "node \"n1\" answers");
  }
  SECTION("but not if its disk failed, or is empty") {
    wreck.world.away.clear();
    thrift::CopyPosition failed;
    failed.condition = thrift::CopyCondition::Failed;
    wreck.world.says(1, failed);
    CHECK(wreck.run(wreck.request).ok());
  }
}

TEST_CASE("Force promotion: what is asked wrongly changes nothing", "[cluster][upkeep]") {
  Wreck wreck;
  auto request = wreck.request;
  request.accept_data_loss = false;
  wreck.refuses(request, ErrorCode::InvalidArgument, "accept_data_loss: must be true");
  request = wreck.request;
  request.reason = std::string(1001, 'x');
  wreck.refuses(request, ErrorCode::InvalidArgument, "reason: at most 1000 bytes, got 1001");
  request = wreck.request;
  request.collection = "nope";
  wreck.refuses(request, ErrorCode::NotFound, "there is no shard 0 of collection \"nope\"");
  request = wreck.request;
  request.shard = ShardId{1};
  wreck.refuses(request, ErrorCode::NotFound, "there is no shard 1");
  request = wreck.request;
  request.node = CopyServers::node(4);
  wreck.refuses(request, ErrorCode::NotFound, "node \"n4\" has no copy");
  request.node = CopyServers::node(1);
  wreck.refuses(request, ErrorCode::NotFound, "node \"n1\" has no copy");
}

TEST_CASE("Force promotion: nobody to promote", "[cluster][upkeep]") {
  Wreck wreck;
  SECTION("none answers") {
    wreck.world.server(2).be_silent(true);
    wreck.world.server(3).be_silent(true);
    wreck.refuses(wreck.request, ErrorCode::Unavailable, "no copy of shard 0");
  }
  SECTION("there is none") {
    auto state = wreck.world.state();
    state.copies.erase(CopyServers::copy(2));
    state.copies.erase(CopyServers::copy(3));
    wreck.world.put(state);
    wreck.refuses(wreck.request, ErrorCode::FailedPrecondition, "has no copy but those");
  }
  SECTION("one that was never filled, unless a person names it") {
    auto state = wreck.world.state();
    state.copies.at(CopyServers::copy(2)).state = CopyState::New;
    state.copies.at(CopyServers::copy(3)).state = CopyState::New;
    wreck.world.put(state);
    wreck.refuses(wreck.request, ErrorCode::Unavailable, "no copy of shard 0");
    wreck.request.node = CopyServers::node(2);
    CHECK(wreck.run(wreck.request).ok());
  }
}

TEST_CASE("Force promotion: a repetition is one promotion", "[cluster][upkeep]") {
  Wreck wreck;
  wreck.call.request_id = RequestId::random();
  const auto first = wreck.run(wreck.request);
  REQUIRE(first.ok());
  wreck.world.clock.advance_ms(5'000);
  const auto second = wreck.run(wreck.request);
  REQUIRE(second.ok());
  CHECK(*second == *first);
  CHECK(wreck.world.state().term == Term{6});
  auto other = wreck.request;
  other.shard = ShardId{1};
  const auto misused = wreck.run(other);
  REQUIRE_FALSE(misused.ok());
  CHECK(misused.error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("Force promotion: an answer of the store that is lost is found out",
          "[cluster][upkeep]") {
  Wreck wreck;
  int attempts = 0;
  SECTION("it was written") {
    wreck.world.store->hook = [&] { return ++attempts == 1 ? Fate::AnswerLost : Fate::Honest; };
    REQUIRE(wreck.run(wreck.request).ok());
  }
  SECTION("it was not") {
    wreck.world.store->hook = [&] { return ++attempts == 1 ? Fate::RequestLost : Fate::Honest; };
    REQUIRE(wreck.run(wreck.request).ok());
  }
  CHECK(attempts == 2);
  CHECK(wreck.world.state().term == Term{6});
  CHECK(wreck.promotion().list({})->size() == 1);
}

TEST_CASE("Force promotion: a store that never answers leaves it open, and says so",
          "[cluster][upkeep]") {
  Wreck wreck;
  wreck.world.store->hook = [] { return Fate::RequestLost; };
  wreck.refuses(wreck.request, ErrorCode::Unavailable, "could not be found out");
  wreck.world.store->hook = [] { return Fate::Refused; };
  wreck.refuses(wreck.request, ErrorCode::Unavailable, "no store");
}

TEST_CASE(
    "Force promotion: a store that does not answer is given time, and is not waited for in vain",
    "[cluster][upkeep]") {
  using Clock = std::chrono::steady_clock;
  Wreck wreck;
  std::vector<Clock::time_point> asked;
  SECTION("pauses that double") {
    wreck.pause = std::chrono::milliseconds(8);
    wreck.world.store->hook = [&] {
      asked.push_back(Clock::now());
      return asked.size() < 5 ? Fate::RequestLost : Fate::Honest;
    };
    REQUIRE(wreck.run(wreck.request).ok());
    REQUIRE(asked.size() == 5);
    for (std::size_t i = 1; i < asked.size(); ++i) {
      CHECK(asked[i] - asked[i - 1] >= std::chrono::milliseconds(8 << (i - 1)));
    }
  }
  SECTION("whoever asked goes away") {
    // Longer than this test may take.
    wreck.pause = std::chrono::hours(1);
    wreck.call.cancel = CancelToken::make();
    wreck.world.store->hook = [&] {
      asked.push_back(Clock::now());
      wreck.call.cancel.cancel();
      return Fate::RequestLost;
    };
    wreck.refuses(wreck.request, ErrorCode::Unavailable, "could not be found out");
    CHECK(asked.size() == 1);
  }
}

TEST_CASE("Force promotion: a record that changed meanwhile is not overwritten",
          "[cluster][upkeep]") {
  Wreck wreck;
  auto other = wreck.world.state();
  other.term = Term{9};
  wreck.world.store->hook = [&] {
    wreck.world.store->hook = {};
    REQUIRE(wreck.world.inner->txn({}, {}, {{CopyServers::key(), other.to_json().dump()}}).ok());
    return Fate::Honest;
  };
  const auto outcome = wreck.run(wreck.request);
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().code == ErrorCode::Unavailable);
  CHECK(wreck.world.state() == other);
  CHECK(wreck.promotion().list({})->empty());
}

TEST_CASE("Force promotion: records are listed in order, and malformed ones named",
          "[cluster][upkeep]") {
  Wreck wreck;
  ForcePromotionRecord record;
  record.collection = "docs";
  record.collection_id = CopyServers::kCollection;
  record.copy = CopyServers::copy(1);
  record.node = CopyServers::node(1);
  record.given_up = {CopyServers::copy(0)};
  for (const char name : {'3', '1', '2'}) {
    record.id = std::string(32, name);
    record.at_ms = 10 - (name - '0');
    wreck.world.write(keys::force_promotion(record.id), record.to_json());
  }
  const auto listed = wreck.promotion().list({});
  REQUIRE(listed.ok());
  REQUIRE(listed->size() == 3);
  CHECK((*listed)[0].id == std::string(32, '3'));
  CHECK((*listed)[2].id == std::string(32, '1'));
  auto json = record.to_json();
  CHECK(ForcePromotionRecord::from_json(json).value() == record);
  json["node"] = "here";
  CHECK(ForcePromotionRecord::from_json(json).error().code == ErrorCode::Corruption);
  json["node"] = 7;
  CHECK(ForcePromotionRecord::from_json(json).error().code == ErrorCode::Corruption);
  json.erase("node");
  CHECK(ForcePromotionRecord::from_json(json).error().code == ErrorCode::Corruption);
}

}  // namespace
}  // namespace quiver::cluster
