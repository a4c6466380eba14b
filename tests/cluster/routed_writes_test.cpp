// Writes to shards of several copies while these change roles. The copies are played; what must
// follow is worked out by hand for each case.

#include <algorithm>

#include "tests/cluster/routed_world.h"

namespace quiver::cluster {
namespace {

using test::Asked;
using test::hasty;
using test::RoutedWorld;

Error not_now(ErrorCode code = ErrorCode::Unavailable) {
  return {code, "not now"};
}

TEST_CASE("Routed writes: they go to the primary, under one id", "[cluster][routing]") {
  RoutedWorld world('b');
  REQUIRE(world.collection->upsert({}, {RoutedWorld::point(1)}).ok());
  CallContext named;
  named.request_id = RequestId::random();
  CHECK(world.collection->erase(named, {PointId(1)}).value() == MutationResult{1, 1});
  const auto asked = world.copies.asked();
  REQUIRE(asked.size() == 2);
  CHECK(world.copies.letters() == "aa");
  CHECK_FALSE(asked[0].request.empty());
  CHECK(asked[1].request == named.request_id);
  CHECK(asked[1].terms == ReadTerms{});
}

TEST_CASE("Routed writes: a new primary takes them over", "[cluster][routing]") {
  const auto code = GENERATE(ErrorCode::Unavailable, ErrorCode::WrongOwner);
  RoutedWorld world('c');
  int refusals = 0;
  world.copies.behaviour = [&](const Asked& asked, const CallContext&) -> Result<Seq> {
    if (asked.copy == 'b') return Seq{8};
    if (++refusals == 3) world.put_shard('b', "bc");
    return not_now(code);
  };
  REQUIRE(world.collection
              ->upsert(RoutedWorld::within(std::chrono::seconds{60}), {RoutedWorld::point(1)})
              .ok());
  const auto asked = world.copies.asked();
  CHECK(asked.back().copy == 'b');
  CHECK(std::count_if(asked.begin(), asked.end(),
                      [](const Asked& each) { return each.copy == 'a'; }) >= 3);
  for (const auto& each : asked) CHECK(each.request == asked.front().request);
  CHECK(world.copies.routes().tokens().find(world.spec.id, ShardId{0}).at == Seq{8});
}

TEST_CASE("Routed writes: they give up when out of time, and nothing has happened",
          "[cluster][routing]") {
  const bool patient = GENERATE(false, true);
  auto options = hasty();
  options.patience = std::chrono::milliseconds{40};
  RoutedWorld world('a', options);
  world.copies.behaviour = [](const Asked&, const CallContext&) -> Result<Seq> {
    return not_now();
  };
  CallContext call;
  if (patient) call = RoutedWorld::within(std::chrono::milliseconds{40});
  const auto lost = world.collection->upsert(call, {RoutedWorld::point(1)});
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().code == ErrorCode::Unavailable);
  CHECK(lost.error().message == "shard 0 of collection \"notes\": not now");
  CHECK(world.copies.asked().size() > 1);
  CHECK(world.copies.routes().tokens().find(world.spec.id, ShardId{0}).at == Seq{0});
}

TEST_CASE("Routed writes: what may have taken effect is repeated under its id",
          "[cluster][routing]") {
  RoutedWorld world;
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    if (world.copies.asked().size() == 1) {
      return Error{ErrorCode::DeadlineExceeded,
                   "whether it took effect is not known: it went down"};
    }
    return Seq{3};
  };
  CHECK(world.collection->upsert({}, {RoutedWorld::point(1)}).value() == MutationResult{1, 1});
  const auto asked = world.copies.asked();
  REQUIRE(asked.size() == 2);
  CHECK_FALSE(asked[0].request.empty());
  CHECK(asked[0].request == asked[1].request);
  // Both times the same points.
  for (const auto& each : asked) {
    const auto& points = std::get<UpsertPoints>(std::get<Mutation>(each.write.value())).points;
    REQUIRE(points.size() == 1);
    CHECK(points[0].id == PointId(1));
    CHECK(points[0].vector == std::vector<float>{1.0F, 2.0F});
  }
}

TEST_CASE("Routed writes: an outcome that stays unknown is called so", "[cluster][routing]") {
  const auto code = GENERATE(ErrorCode::Unavailable, ErrorCode::WrongOwner,
                             ErrorCode::FailedPrecondition, ErrorCode::ResourceExhausted);
  RoutedWorld world;
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    if (world.copies.asked().size() == 1) return not_now(ErrorCode::DeadlineExceeded);
    return not_now(code);
  };
  const auto lost = world.collection->upsert(RoutedWorld::within(std::chrono::milliseconds{40}),
                                             {RoutedWorld::point(1)});
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().code == ErrorCode::DeadlineExceeded);
  CHECK_THAT(lost.error().message, Catch::StartsWith("whether it took effect is not known"));
}

TEST_CASE("Routed writes: what is wrong with them is not tried again", "[cluster][routing]") {
  RoutedWorld world;
  world.copies.behaviour = [](const Asked&, const CallContext&) -> Result<Seq> {
    return not_now(ErrorCode::InvalidArgument);
  };
  CHECK(world.collection->upsert({}, {RoutedWorld::point(1)}).error().code ==
        ErrorCode::InvalidArgument);
  CHECK(world.copies.letters() == "a");
}

TEST_CASE("Routed writes: a collection that is deleted meanwhile is not waited for",
          "[cluster][routing]") {
  RoutedWorld world;
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    if (world.copies.asked().size() == 2) world.put(keys::spec(world.spec.id), std::nullopt);
    return not_now();
  };
  const auto gone = world.collection->upsert(RoutedWorld::within(std::chrono::seconds{60}),
                                             {RoutedWorld::point(1)});
  CHECK(gone.error().code == ErrorCode::NotFound);
  CHECK(gone.error().message == "collection \"notes\" was deleted");
}

TEST_CASE("Routed writes: a caller that goes away is not waited for", "[cluster][routing]") {
  auto options = hasty();
  options.pause = options.pause_max = std::chrono::hours{1};
  options.patience = std::chrono::hours{3};
  RoutedWorld world('a', options);
  CallContext call;
  call.cancel = CancelToken::make();
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    call.cancel.cancel();
    return not_now();
  };
  CHECK_FALSE(world.collection->upsert(call, {RoutedWorld::point(1)}).ok());
  CHECK(world.copies.letters() == "a");
}

TEST_CASE("Routed writes: of a write in parts those that were answered are not repeated",
          "[cluster][routing]") {
  RoutedWorld world;
  std::vector<Point> points;
  for (std::uint64_t id = 0; id < 120; ++id) {
    points.push_back(RoutedWorld::point(id));
    points.back().text = std::string(60'000, 'x');
  }
  std::size_t cut_off = 0;
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    const auto asked = world.copies.asked().size();
    if (asked == 2 && cut_off++ == 0) return not_now(ErrorCode::DeadlineExceeded);
    return Seq{asked};
  };
  const auto written = world.collection->upsert({}, std::move(points));
  REQUIRE(written.ok());
  const auto asked = world.copies.asked();
  REQUIRE(asked.size() >= 3);
  CHECK(asked[1].request == asked[2].request);
  std::vector<PointId> ids;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (i == 1) continue;
    for (const auto& point :
         std::get<UpsertPoints>(std::get<Mutation>(asked[i].write.value())).points) {
      ids.push_back(point.id);
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (j != 1) CHECK(asked[j].request != asked[i].request);
    }
  }
  REQUIRE(ids.size() == 120);
  std::sort(ids.begin(), ids.end());
  for (std::uint64_t id = 0; id < 120; ++id) CHECK(ids[id] == PointId(id));
  // One for each part, as the played copies say.
  CHECK(written->affected == asked.size() - 1);
  CHECK(world.copies.routes().tokens().find(world.spec.id, ShardId{0}).at == Seq{asked.size()});
}

TEST_CASE("Routed writes: conditional ones are repeated as others are", "[cluster][routing]") {
  RoutedWorld world;
  world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
    if (world.copies.asked().size() == 1) return not_now(ErrorCode::DeadlineExceeded);
    return Seq{4};
  };
  UpsertIf write{{RoutedWorld::point(1)}, {{PointId(1), std::nullopt}}};
  CHECK(world.collection->upsert_if({}, write).value().empty());
  const auto asked = world.copies.asked();
  REQUIRE(asked.size() == 2);
  CHECK_FALSE(asked[0].request.empty());
  CHECK(asked[0].request == asked[1].request);
  CHECK(std::get<UpsertIf>(asked[1].write.value()).expected == write.expected);
  CHECK(world.copies.routes().tokens().find(world.spec.id, ShardId{0}).at == Seq{4});
}

TEST_CASE("Routed writes: a shard whose servers are all gone says so before the time is up",
          "[cluster][routing]") {
  auto options = hasty();
  options.gone = std::chrono::milliseconds{2};
  RoutedWorld world('d', options);
  world.copies.behaviour = [](const Asked&, const CallContext&) -> Result<Seq> {
    return not_now();
  };
  // The one on b is no longer in sync: it is not one of those that are missed.
  world.put_shard('c', "ac");
  world.await_shard('c');
  for (const char letter : {'a', 'c'}) world.set_up(letter, false);
  SECTION("a write and a read") {
    const auto hour = RoutedWorld::within(std::chrono::hours{1});
    const auto written = world.collection->upsert(hour, {RoutedWorld::point(1)});
    const auto read = world.collection->search(hour, world.query());
    for (const auto& error : {written.error(), read.error()}) {
      CHECK(error.code == ErrorCode::Unavailable);
      CHECK(error.message.starts_with("shard 0 of collection \"notes\" is lost"));
      CHECK(error.message.find("(a, c)") != std::string::npos);
      CHECK(error.message.find("cluster_force_promote") != std::string::npos);
      CHECK(error.message.find("cluster_list_nodes") != std::string::npos);
    }
  }
  SECTION("one that may have taken effect") {
    world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
      const bool first = world.copies.asked().size() == 1;
      return not_now(first ? ErrorCode::DeadlineExceeded : ErrorCode::Unavailable);
    };
    const auto written = world.collection->upsert(RoutedWorld::within(std::chrono::hours{1}),
                                                  {RoutedWorld::point(1)});
    CHECK(written.error().code == ErrorCode::DeadlineExceeded);
    CHECK(written.error().message.find("is not known") != std::string::npos);
    CHECK(written.error().message.find("(a, c)") != std::string::npos);
  }
  SECTION("one comes back") {
    std::size_t asked = 0;
    world.copies.behaviour = [&](const Asked&, const CallContext&) -> Result<Seq> {
      if (++asked == 1) world.set_up('a', true);
      if (asked == 1) {
        world.views->await(RoutedWorld::within(std::chrono::seconds{30}),
                           [](const ClusterView& view) {
                             return view.find_node(test::server('a'))->alive.has_value();
                           });
      }
      return asked < 50 ? Result<Seq>(not_now()) : Result<Seq>(Seq{1});
    };
    CHECK(world.collection
              ->upsert(RoutedWorld::within(std::chrono::hours{1}), {RoutedWorld::point(1)})
              .ok());
  }
}

TEST_CASE("Routed writes: a shard with one copy is asked as before", "[cluster][routing]") {
  RoutedWorld world('b', hasty(), 1, std::nullopt, 1);
  world.copies.behaviour = [](const Asked&, const CallContext&) -> Result<Seq> {
    return not_now();
  };
  const auto lost = world.collection->upsert({}, {RoutedWorld::point(1)});
  CHECK(lost.error().code == ErrorCode::Unavailable);
  CHECK(lost.error().message == "not now");
  REQUIRE(world.copies.letters() == "a");
  CHECK(world.copies.asked().front().request.empty());
  world.copies.forget();
  CHECK(world.collection->search({}, world.query()).error().code == ErrorCode::Unavailable);
  CHECK(world.copies.letters() == "a");
  CHECK(world.copies.asked().front().terms == ReadTerms{});
}

}  // namespace
}  // namespace quiver::cluster
