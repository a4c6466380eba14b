// Every call, over real sockets, against a shard in memory: what comes out at the far end, and what
// comes back.

#include "tests/thrift/world.h"
#include "thrift/client_pool.h"
#include "thrift/limits.h"
#include "thrift/split_write.h"

namespace {

using namespace quiver;
using namespace quiver::testing;
using thrift::ServerOptions;

template <typename T>
void epoch_is_told(const thrift::Reply<T>& reply) {
  if (!reply.ok()) FAIL(reply.error().message);
  CHECK(reply.info.epoch == 41);
  CHECK(reply.info.term == Term{3});
  CHECK_FALSE(reply.info.outcome_unknown);
}

TEST_CASE("NodeClient: reads give what the shard has", "[thrift]") {
  World world;
  Builder random(1);
  const auto client = world.client();
  auto points = random.points(40, 8);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i].payload["even"] = i % 2 == 0;
    world.handler.put(points[i]);
  }
  const auto even = Filter::parse(Json::parse(R"({"even": true})")).value();

  thrift::SearchCall query;
  query.vector = random.vector(8);
  query.k = 7;
  query.filter = even;
  query.projection = {true, true, true};
  auto call = within(5s);
  call.trace = "t-1";
  call.epoch = 40;
  call.shard = ShardId{3};
  auto hits = client->search(call, query);
  epoch_is_told(hits);
  const auto expected = world.handler.search(call, query).result.value();
  REQUIRE(hits->size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK((*hits)[i].score == expected[i].score);
    CHECK(same((*hits)[i].point, expected[i].point));
  }

  auto got =
      client->get(within(5s), {{points[5].id, PointId(1), points[2].id}, {true, true, true}});
  epoch_is_told(got);
  CHECK(same(*got, {points[5], points[2]}));
  CHECK(client->get(within(5s), {{}, {}})->empty());

  auto page = client->scroll(within(5s), {even, std::nullopt, 10, {true, true, true}});
  epoch_is_told(page);
  CHECK(page->size() == 10);
  auto rest = client->scroll(within(5s), {even, page->back().id, 100, {true, true, true}});
  CHECK(rest->size() == 10);

  auto number = client->count(within(5s), even);
  epoch_is_told(number);
  CHECK(*number == 20);
  CHECK(*client->count(within(5s), std::nullopt) == 40);

  auto fields = client->fields(within(5s), 1);
  epoch_is_told(fields);
  REQUIRE(fields->size() == 1);
  CHECK(fields->front().name == "lang");
  auto stats = client->stats(within(5s));
  epoch_is_told(stats);
  CHECK(*stats == thrift::ShardCounts{1, 2, 3});
}

TEST_CASE("NodeClient: what goes with a call arrives", "[thrift]") {
  World world;
  const auto before = std::chrono::steady_clock::now();
  auto call = within(4s);
  call.trace = "trace-9";
  call.epoch = 77;
  call.term = Term{5};
  call.shard = ShardId{3};
  call.context.request_id = RequestId::random();
  REQUIRE(world.client()->write(call, Mutation(ErasePoints{})).ok());
  const auto seen = world.handler.last_shard();
  CHECK(seen.caller == "client");
  CHECK(seen.trace == "trace-9");
  CHECK(seen.epoch == 77);
  CHECK(seen.term == Term{5});
  CHECK(seen.collection == kCollection);
  CHECK(seen.shard == ShardId{3});
  CHECK(seen.context.request_id == call.context.request_id);
  // Both clocks are this machine's: the far end gets no more than what the caller had left.
  CHECK(*seen.context.deadline <= std::chrono::steady_clock::now() + 4s);
  CHECK(*seen.context.deadline > before);
}

TEST_CASE("NodeClient: writes do what they say", "[thrift]") {
  World world;
  Builder random(2);
  const auto client = world.client();
  const auto points = random.points(30, 4);
  auto upserted = client->write(within(5s), Mutation(UpsertPoints{points}));
  epoch_is_told(upserted);
  CHECK(*upserted == MutationResult{30, 30});
  auto everything = client->scroll(within(5s), {{}, {}, 100, {true, true, true}});
  auto sorted = points;
  std::sort(sorted.begin(), sorted.end(), [](auto& a, auto& b) { return a.id < b.id; });
  CHECK(same(*everything, sorted));

  const UpdatePayload update{{points[1].id}, UpdatePayload::Mode::Replace, {{"mark", 1}}};
  CHECK(*client->write(within(5s), Mutation(update)) == MutationResult{1, 0});
  const auto marked = Filter::parse(Json::parse(R"({"mark": 1})")).value();
  CHECK(*client->write(within(5s), EraseMatching{marked}) == MutationResult{1, 0});
  CHECK(*client->write(within(5s), Mutation(ErasePoints{{points[1].id, points[2].id}})) ==
        MutationResult{1, 0});
}

TEST_CASE("NodeClient: shards are made, dropped and copied", "[thrift]") {
  World world;
  const auto client = world.client();
  CollectionSpec spec;
  spec.id = kCollection;
  spec.name = "notes";
  spec.dimension = 4;
  epoch_is_told(client->create_shard(within(5s), spec));
  CHECK(world.handler.spec() == spec);
  auto other = spec;
  other.id.back() = '0';
  CHECK(client->create_shard(within(5s), other).error().code == ErrorCode::InvalidArgument);
  epoch_is_told(client->drop_shard(within(5s)));

  world.handler.file.resize(2'500'000);
  for (std::size_t i = 0; i < world.handler.file.size(); ++i) {
    world.handler.file[i] = static_cast<char>(i * 31 + i / 1000);
  }
  auto checkpoint = client->begin_checkpoint(within(5s));
  epoch_is_told(checkpoint);
  CHECK(checkpoint->position == LogPosition{Term{2}, Seq{40}});
  REQUIRE(checkpoint->files.size() == 1);
  std::string copy;
  while (copy.size() < checkpoint->files[0].bytes) {
    auto chunk =
        client->read_chunk(within(5s), {"cp-1", "data/1.sst", copy.size(), thrift::kChunkBytesMax});
    epoch_is_told(chunk);
    copy += *chunk;
  }
  CHECK(copy == world.handler.file);
  epoch_is_told(client->end_checkpoint(within(5s), "cp-1"));
  CHECK(client->end_checkpoint(within(5s), "cp-2").error().code == ErrorCode::NotFound);
  CHECK(client->end_checkpoint(within(5s), "").error().code == ErrorCode::InvalidArgument);

  auto held = client->hold_writes(within(5s), 250ms);
  epoch_is_told(held);
  CHECK(held->seq == Seq{250});
  CHECK(client->hold_writes(within(5s), 61s).error().code == ErrorCode::InvalidArgument);
  epoch_is_told(client->release_writes(within(5s)));
}

TEST_CASE("NodeClient: nodes greet, join, ping and tell their state", "[thrift]") {
  World world;
  const auto client = world.client();
  CHECK(client->greet({}).value() == thrift::NodeIdentity{"server", 7, "0.1.0"});
  const auto call = within(5s, thrift::NodeCall{});
  auto welcome = client->join(call, {local("client").node, "10.0.0.9:7700", "", "z", 1.0});
  epoch_is_told(welcome);
  CHECK(welcome->members.front().id == "client");
  auto echo = client->ping(call, {"active"});
  epoch_is_told(echo);
  CHECK(echo->state == "active");
  CHECK(echo->node.id == "server");
  auto status = client->status(call);
  epoch_is_told(status);
  CHECK(status->load == 0.5);
  // Nobody joins under the name of another.
  const auto other = client->join(call, {local("other").node, "10.0.0.9:7700", "", "z", 1.0});
  CHECK(other.error().code == ErrorCode::PermissionDenied);
}

TEST_CASE("NodeClient: copies tell how far they are, and primaries are told what to do",
          "[thrift]") {
  World world;
  const auto client = world.client();
  const auto call = within(5s, thrift::NodeCall{});
  std::vector<thrift::CopyName> copies;
  for (std::uint32_t i = 0; i < 2 * thrift::kCopiesMax + 1; ++i) {
    copies.push_back({kCollection, ShardId{i % 1000}, {RequestId::random().hex()}});
  }
  auto positions = client->copy_positions(call, copies);
  epoch_is_told(positions);
  REQUIRE(positions->size() == copies.size());
  for (std::uint32_t i = 0; i < copies.size(); ++i) {
    if ((*positions)[i].last.seq != Seq{i % 1000}) FAIL("of copy " << i);
  }
  CHECK(world.handler.calls("copy_positions") == 3);
  CHECK(client->copy_positions(call, {})->empty());

  auto meant = within(5s);
  meant.copy = {std::string(32, '0')};
  const CopyId known{std::string(32, '1')};
  epoch_is_told(client->direct(meant, {thrift::PrimaryOrder::Kind::HandOff, known}));
  CHECK(world.handler.last_shard().copy == meant.copy);
  auto sums = client->content_sums(meant);
  epoch_is_told(sums);
  CHECK(sums->points == 3);
  CHECK(sums->buckets == std::vector<std::uint64_t>(kContentBuckets, 5));
  CHECK(world.handler.last_shard().copy == meant.copy);
  const auto unknown = client->direct(meant, {thrift::PrimaryOrder::Kind::Drop, meant.copy});
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == ErrorCode::NotFound);
}

TEST_CASE("NodeClient: answers larger than a message arrive whole", "[thrift]") {
  World world;
  Builder random(3);
  const auto client = world.client();
  std::vector<Point> points;
  std::vector<PointId> ids;
  for (std::uint64_t i = 0; i < 7; ++i) {
    auto point = random.point(2);
    point.id = PointId(i);
    point.vector = {static_cast<float>(i + 1), 0.0F};
    point.payload = {{"n", i}, {"text", std::string(900'000, 'x')}};
    world.handler.put(point);
    points.push_back(point);
    ids.push_back(point.id);
  }
  const Projection all{true, true, true};
  CHECK(same(*client->get(within(60s), {ids, all}), points));
  CHECK(world.handler.calls("get") == 2);
  CHECK(same(*client->scroll(within(60s), {{}, {}, 100, all}), points));
  auto hits = client->search(within(60s), {{1.0F, 0.0F}, 6, 0, true, {}, all});
  REQUIRE(hits.ok());
  REQUIRE(hits->size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK((*hits)[i].score == static_cast<float>(7 - i));
    CHECK(same((*hits)[i].point, points[6 - i]));
  }
}

TEST_CASE("NodeClient: a hit that is erased before it is fetched is left out", "[thrift]") {
  World world;
  for (std::uint64_t i = 0; i < 8; ++i) {
    Point point;
    point.id = PointId(i);
    point.vector = {static_cast<float>(8 - i)};
    point.payload = {{"text", std::string(900'000, 'x')}};
    world.handler.put(point);
  }
  world.handler.before = [&](const std::string& method, const auto&) -> thrift::Answered {
    if (method == "get") world.handler.erase(PointId(6));
    return Done{};
  };
  auto hits = world.client()->search(within(60s), {{1.0F}, 8, 0, false, {}, {}});
  REQUIRE(hits.ok());
  REQUIRE(hits->size() == 7);
  CHECK(hits->back().point.id == PointId(7));
}

TEST_CASE("NodeClient: the errors of the peer come through with their hints", "[thrift]") {
  World world;
  world.handler.before = [](const std::string&, const auto&) {
    thrift::ReplyInfo info;
    info.epoch = 90;
    info.term = Term{8};
    info.primary = "node-5";
    info.retry_after = 70ms;
    return thrift::Answered(Error{ErrorCode::WrongOwner, "the shard has moved"}, info);
  };
  const auto client = world.client();
  const auto all = [&](const auto& reply) {
    REQUIRE_FALSE(reply.ok());
    CHECK(reply.error().code == ErrorCode::WrongOwner);
    CHECK(reply.error().message == "the shard has moved");
    CHECK(reply.info.epoch == 90);
    CHECK(reply.info.term == Term{8});
    CHECK(reply.info.primary == "node-5");
    CHECK(reply.info.retry_after == 70ms);
    CHECK_FALSE(reply.info.outcome_unknown);
  };
  const auto shard = within(5s);
  const auto node = within(5s, thrift::NodeCall{});
  CollectionSpec spec;
  spec.id = kCollection;
  spec.name = "notes";
  spec.dimension = 4;
  all(client->search(shard, {{1.0F}, 1, 0, false, {}, {}}));
  all(client->get(shard, {{PointId(1)}, {}}));
  all(client->scroll(shard, {}));
  all(client->count(shard, {}));
  all(client->fields(shard, 3));
  all(client->stats(shard));
  all(client->write(shard, Mutation(ErasePoints{})));
  all(client->create_shard(shard, spec));
  all(client->drop_shard(shard));
  all(client->begin_checkpoint(shard));
  all(client->read_chunk(shard, {"cp-1", "a", 0, 1}));
  all(client->end_checkpoint(shard, "cp-1"));
  all(client->hold_writes(shard, 1ms));
  all(client->release_writes(shard));
  all(client->join(node, {local("client").node, "a:1", "", "", 1.0}));
  all(client->ping(node, {"active"}));
  all(client->status(node));
  all(client->copy_positions(node, {{kCollection, ShardId{0}, {std::string(32, '1')}}}));
  all(client->direct(shard, {thrift::PrimaryOrder::Kind::Drop, {std::string(32, '1')}}));
  // A refusal is an answer: nothing was repeated, and each purpose kept its connection.
  CHECK(world.handler.calls("search") == 1);
  CHECK(world.greetings == 5);
}

TEST_CASE("NodeClient: what cannot be carried is refused at once", "[thrift]") {
  World world;
  const auto client = world.client();
  thrift::SearchCall query;
  query.vector = {1.0F};
  query.k = 10'001;
  CHECK(client->search(within(5s), query).error().code == ErrorCode::InvalidArgument);
  query.k = 1;
  query.vector = {std::nanf("")};
  CHECK(client->search(within(5s), query).error().code == ErrorCode::InvalidArgument);
  query.vector.clear();
  CHECK(client->search(within(5s), query).error().code == ErrorCode::InvalidArgument);
  auto call = within(5s);
  call.collection = "../x";
  CHECK(client->stats(call).error().code == ErrorCode::InvalidArgument);
  // None of these cost the connection.
  CHECK(client->stats(within(5s)).ok());
  CHECK(world.greetings == 1);
  CHECK(world.handler.calls("search") == 0);
}

TEST_CASE("NodeClient: a handler that throws is an internal error, and no end", "[thrift]") {
  World world;
  world.handler.before = [](const std::string& method, const auto&) -> thrift::Answered {
    if (method == "count") throw std::runtime_error("out of beans");
    return Done{};
  };
  const auto client = world.client();
  const auto reply = client->count(within(5s), {});
  CHECK(reply.error().code == ErrorCode::Internal);
  CHECK_THAT(reply.error().message, Catch::Contains("out of beans"));
  CHECK(client->stats(within(5s)).ok());
  CHECK(world.greetings == 1);
}

TEST_CASE("NodeClient: 300 MB in each direction over one connection", "[thrift]") {
  World world;
  thrift::ClientOptions options;
  options.connections = {1, 1, 1, 1, 1};
  const auto client = world.client(options);
  Builder random(4);
  UpsertPoints upsert;
  for (std::uint64_t i = 0; i < 256; ++i) {
    Point point;
    point.id = PointId(i);
    point.vector = random.vector(1024);
    upsert.points.push_back(point);
  }
  const WriteRequest write = Mutation(upsert);
  for (int megabyte = 0; megabyte < 300; ++megabyte) {
    const auto reply = client->write(within(60s), write);
    if (!reply.ok()) FAIL(megabyte << ": " << reply.error().message);
  }
  CHECK(world.greetings == 1);
  world.handler.file.assign(thrift::kChunkBytesMax, 'x');
  for (int megabyte = 0; megabyte < 300; ++megabyte) {
    const auto reply = client->read_chunk(within(60s), {"cp-1", "a", 0, thrift::kChunkBytesMax});
    if (!reply.ok()) FAIL(megabyte << ": " << reply.error().message);
  }
  CHECK(world.greetings == 2);
  CHECK(world.server->refused() == 0);
}

TEST_CASE("NodeClient: a split write does what the whole would", "[thrift]") {
  World world;
  const auto client = world.client();
  Builder random(5);
  const auto points = random.points(1000, 1536);
  const auto whole = RequestId::random();
  // Twice: what took effect once is found again.
  for (int time = 0; time < 2; ++time) {
    const auto parts = thrift::split_write(Mutation(UpsertPoints{points}));
    CHECK(parts.size() == 2);
    MutationResult sum;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto call = within(60s);
      call.context.request_id = thrift::part_id(whole, i, parts.size());
      auto reply = client->write(call, parts[i]);
      REQUIRE(reply.ok());
      sum.affected += reply->affected;
      sum.created += reply->created;
    }
    CHECK(sum.affected == 1000);
    CHECK(sum.created == 1000);
  }
  CHECK(*client->count(within(5s), {}) == 1000);
}

TEST_CASE("ClientPool: one client a peer, closed when idle, forgotten when gone", "[thrift]") {
  World world;
  thrift::ClientOptions options;
  options.idle_time = 100ms;
  thrift::ClientPool pool(local("client"), with_token(), options);
  const thrift::PeerAddress peer{"127.0.0.1", world.server->port(), "server"};
  const auto client = pool.client(peer);
  CHECK(pool.client(peer) == client);
  CHECK(pool.client({"127.0.0.1", 1, "other"}) != client);
  REQUIRE(client->stats(within(5s)).ok());
  REQUIRE(client->ping(within(5s, thrift::NodeCall{}), {"a"}).ok());
  CHECK(eventually([&] { return pool.connections() == 0; }));
  CHECK(eventually([&] {
    return world.server->connections(thrift::Purpose::Search) == 0 &&
           world.server->connections(thrift::Purpose::Health) == 0;
  }));
  CHECK(client->stats(within(5s)).ok());
  pool.forget("server");
  CHECK(pool.client(peer) != client);
  CHECK(client->stats(within(5s)).ok());
}

}  // namespace
