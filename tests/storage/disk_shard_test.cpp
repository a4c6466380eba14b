// One shard on disk: what writes mean, what questions answer, what opening finds.

#include "storage/disk_shard.h"

#include <fstream>

#include <spdlog/spdlog.h>

#include "storage/manifest.h"
#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

using Ids = std::vector<PointId>;

RequestId request_of(std::uint8_t number) {
  RequestId id;
  id.bytes.fill(number);
  return id;
}

/// Points 1 to n on a line: point i lies at (i, 0).
UpsertPoints line(std::uint64_t from, std::uint64_t to) {
  UpsertPoints out;
  for (auto i = from; i <= to; ++i) {
    out.points.push_back(point_of(PointId(i), {static_cast<float>(i), 0}, {{"i", i}}));
  }
  return out;
}

ShardQuery query_at(float x, std::size_t k) {
  ShardQuery query;
  query.vector = {x, 0};
  query.k = k;
  return query;
}

Ids near(TestShard& shard, float x, std::size_t k) {
  const auto hits = shard->search(CallContext{}, query_at(x, k));
  REQUIRE(error_of(hits) == "");
  return ids_of(*hits);
}

Filter filter_of(const Json& json) {
  return Filter::parse(json).value();
}

struct Fixture {
  ScratchDirectory scratch{ScratchDirectory::Where::Memory};
  TestShard shard{scratch / "root" / "shard", spec_of(2), Options{}};

  Fixture() { REQUIRE(error_of(shard.open()) == ""); }
};

}  // namespace

TEST_CASE("DiskShard: an upsert inserts and replaces whole", "[storage][shard]") {
  Fixture f;
  CHECK(f.shard.write(line(1, 3)).value() == MutationResult{3, 3});
  auto replacement = line(2, 4);
  replacement.points[0].payload = {{"other", true}};
  replacement.points[0].text = "two";
  CHECK(f.shard.write(replacement).value() == MutationResult{3, 1});
  const Ids two{PointId(2)};
  const auto points = f.shard->get(two, {true, true, true}).value();
  CHECK(points[0].payload == Json{{"other", true}});
  CHECK(points[0].text == "two");
  CHECK(points[0].vector == std::vector<float>{2, 0});
  CHECK(f.shard->stats().points == 4);
}

TEST_CASE("DiskShard: of two points with the same id the later wins", "[storage][shard]") {
  Fixture f;
  auto upsert = line(1, 2);
  upsert.points.push_back(point_of(PointId(1), {50, 0}, {{"last", 1}}));
  CHECK(f.shard.write(upsert).value() == MutationResult{2, 2});
  CHECK(near(f.shard, 50, 1) == Ids{PointId(1)});
  CHECK(near(f.shard, 1, 2) == Ids{PointId(2), PointId(1)});
}

TEST_CASE("DiskShard: an empty write is a write that does nothing", "[storage][shard]") {
  Fixture f;
  CHECK(f.shard.write(UpsertPoints{}).value() == MutationResult{0, 0});
  CHECK(f.shard.write(ErasePoints{}).value() == MutationResult{0, 0});
  CHECK(f.shard.write(UpdatePayload{}).value() == MutationResult{0, 0});
  CHECK(f.shard->applied() == Seq{3});
}

TEST_CASE("DiskShard: an erasure counts what was there, once", "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 3)).ok());
  CHECK(f.shard.write(ErasePoints{{PointId(1), PointId(1), PointId(9)}}).value() ==
        MutationResult{1, 0});
  CHECK(near(f.shard, 0, 10) == Ids{PointId(2), PointId(3)});
}

TEST_CASE("DiskShard: a merge sets keys and removes those that are null", "[storage][shard]") {
  Fixture f;
  Point point = point_of(PointId(1), {1, 0}, Json::parse(R"({"a":{"x":1},"b":2,"c":3})"));
  point.text = "text";
  point.expires_at_ms = f.shard.clock.wall_ms() + 100;
  REQUIRE(f.shard.write(UpsertPoints{{point}}).ok());
  UpdatePayload update;
  update.ids = {PointId(1), PointId(2), PointId(1)};
  update.payload = Json::parse(R"({"a":{"y":2},"b":null,"d":[null]})");
  CHECK(f.shard.write(update).value() == MutationResult{1, 0});
  const Ids one{PointId(1)};
  const auto merged = f.shard->get(one, {true, true, true}).value();
  // The top level only: "a" is replaced, not mixed.
  CHECK(merged[0].payload == Json::parse(R"({"a":{"y":2},"c":3,"d":[null]})"));
  CHECK(merged[0].text == "text");
  CHECK(merged[0].vector == point.vector);
  CHECK(merged[0].created_at_ms == point.created_at_ms);
  CHECK(merged[0].expires_at_ms == point.expires_at_ms);

  update.mode = UpdatePayload::Mode::Replace;
  update.payload = {{"only", nullptr}};
  REQUIRE(f.shard.write(update).ok());
  CHECK(f.shard->get(one, {}).value()[0].payload == update.payload);
}

TEST_CASE("DiskShard: a retry has the first answer and no second effect", "[storage][shard]") {
  Fixture f;
  CHECK_FALSE(f.shard->find_request(request_of(1)));
  CHECK_FALSE(f.shard->find_request(RequestId{}));
  REQUIRE(f.shard.write(line(1, 3), request_of(1)).ok());
  CHECK(f.shard->find_request(request_of(1)) == MutationResult{3, 3});
  REQUIRE(f.shard.write(ErasePoints{{PointId(1)}}).ok());
  CHECK(f.shard.write(line(1, 3), request_of(1)).value() == MutationResult{3, 3});
  CHECK(f.shard->stats().points == 2);
  REQUIRE(f.shard.open().ok());
  CHECK(f.shard->find_request(request_of(1)) == MutationResult{3, 3});
}

TEST_CASE("DiskShard: expired points are invisible at once and erased only while expired",
          "[storage][shard]") {
  Fixture f;
  const auto now = f.shard.clock.wall_ms();
  auto upsert = line(1, 4);
  for (std::size_t i = 0; i < 3; ++i) {
    upsert.points[i].expires_at_ms = now + 10 * static_cast<std::int64_t>(i + 1);
  }
  REQUIRE(f.shard.write(upsert).ok());
  CHECK(f.shard->count(CallContext{}, std::nullopt).value() == 4);
  f.shard.clock.set(now + 20);
  CHECK(f.shard->count(CallContext{}, std::nullopt).value() == 2);
  CHECK(f.shard->count(CallContext{}, filter_of({{"i", {{"$lte", 3}}}})).value() == 1);
  CHECK(near(f.shard, 0, 10) == Ids{PointId(3), PointId(4)});
  CHECK(ids_of(f.shard->get(Ids{PointId(1), PointId(3)}, {}).value()) == Ids{PointId(3)});
  CHECK(ids_of(f.shard->scroll(CallContext{}, {}).value()) == Ids{PointId(3), PointId(4)});
  CHECK(f.shard->stats().points == 2);
  CHECK(f.shard->expired(now + 20, 10) == Ids{PointId(1), PointId(2)});
  CHECK(f.shard->expired(now + 20, 1) == Ids{PointId(1)});
  CHECK(f.shard->expired(now + 9, 10).empty());

  // Point 2 is written anew before the purge arrives.
  REQUIRE(f.shard.write(line(2, 2)).ok());
  const EraseExpired purge{{PointId(1), PointId(2), PointId(3), PointId(4)}, now + 20};
  CHECK(f.shard.write(purge).value() == MutationResult{1, 0});
  CHECK(ids_of(f.shard->scroll(CallContext{}, {}).value()) ==
        Ids{PointId(2), PointId(3), PointId(4)});
  REQUIRE(f.shard.open().ok());
  CHECK(f.shard->expired(now + 1000, 10) == Ids{PointId(3)});
}

TEST_CASE("DiskShard: a search answers as projected, with scores", "[storage][shard]") {
  Fixture f;
  auto upsert = line(1, 3);
  upsert.points[1].text = "two";
  REQUIRE(f.shard.write(upsert).ok());
  auto query = query_at(2.25F, 2);
  query.projection = {true, true, true};
  const auto hits = f.shard->search(CallContext{}, query).value();
  REQUIRE(ids_of(hits) == Ids{PointId(2), PointId(3)});
  CHECK(hits[0].score == -0.25F);
  CHECK(hits[1].score == -0.75F);
  CHECK(hits[0].point.text == "two");
  CHECK(hits[0].point.vector == std::vector<float>{2, 0});
  CHECK(hits[0].point.payload == Json{{"i", 2}});
  CHECK(hits[0].point.created_at_ms == 1000);
  query.projection = {false, false, false};
  const auto bare = f.shard->search(CallContext{}, query).value();
  CHECK(bare[0].point.payload == Json::object());
  CHECK_FALSE(bare[0].point.text);
  CHECK(bare[0].point.vector.empty());
}

TEST_CASE("DiskShard: equally near points come in order of id, and so do the first of them",
          "[storage][shard]") {
  Fixture f;
  UpsertPoints upsert;
  for (const std::uint64_t id : {5U, 3U, 9U, 1U}) {
    upsert.points.push_back(point_of(PointId(id), {1, 1}));
  }
  upsert.points.push_back(point_of(*PointId::from_text("4"), {1, 1}));
  REQUIRE(f.shard.write(upsert).ok());
  const Ids all{PointId(1), PointId(3), PointId(5), PointId(9), *PointId::from_text("4")};
  for (std::size_t k = 1; k <= all.size(); ++k) {
    CHECK(near(f.shard, 0, k) == Ids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k)));
  }
}

TEST_CASE("DiskShard: what cannot be asked is refused", "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 3)).ok());
  const auto refusal = [&](const ShardQuery& query) {
    const auto hits = f.shard->search(CallContext{}, query);
    REQUIRE_FALSE(hits.ok());
    CHECK(hits.error().code == ErrorCode::InvalidArgument);
    return hits.error().message;
  };
  CHECK(refusal(query_at(1, 0)) == "k: must be between 1 and 10000, got 0");
  CHECK(refusal(query_at(1, 10'001)) == "k: must be between 1 and 10000, got 10001");
  auto query = query_at(1, 1);
  query.vector = {1};
  CHECK(refusal(query).find("vector has 1 components") == 0);
  query.vector = {1, std::numeric_limits<float>::infinity()};
  CHECK(refusal(query).find("finite") != std::string::npos);

  ScrollQuery page;
  page.limit = 0;
  CHECK(f.shard->scroll(CallContext{}, page).error().code == ErrorCode::InvalidArgument);

  CallContext cancelled;
  cancelled.cancel = CancelToken::make();
  cancelled.cancel.cancel();
  const auto filter = filter_of({{"i", 1}});
  CHECK(f.shard->search(cancelled, query_at(1, 1)).error().code == ErrorCode::DeadlineExceeded);
  CHECK(f.shard->scroll(cancelled, {}).error().code == ErrorCode::DeadlineExceeded);
  CHECK(f.shard->count(cancelled, filter).error().code == ErrorCode::DeadlineExceeded);
  CHECK(f.shard->ids_matching(cancelled, filter, 1).error().code == ErrorCode::DeadlineExceeded);
}

TEST_CASE("DiskShard: a bad write is refused whole and changes nothing", "[storage][shard]") {
  Fixture f;
  auto upsert = line(1, 3);
  upsert.points[2].vector = {1};
  const auto refused = f.shard.write(upsert);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
  CHECK(refused.error().message.find("point 3: ") == 0);
  CHECK(f.shard->tail().seq == Seq{0});
  // One bad entry of several: none is kept.
  const std::vector entries{f.shard.entry(line(1, 1)), f.shard.entry(upsert, {}, 1)};
  CHECK_FALSE(f.shard->append(entries).ok());
  CHECK(f.shard->tail().seq == Seq{0});
  CHECK(f.shard.write(line(1, 1)).ok());
}

TEST_CASE("DiskShard: what is appended becomes visible when it is applied", "[storage][shard]") {
  Fixture f;
  const std::vector entries{f.shard.entry(line(1, 1), request_of(1)),
                            f.shard.entry(line(2, 2), {}, 1), f.shard.entry(line(3, 3), {}, 2)};
  REQUIRE(f.shard->append(entries).ok());
  CHECK(f.shard->applied() == Seq{0});
  CHECK(near(f.shard, 0, 10).empty());
  CHECK_FALSE(f.shard->find_request(request_of(1)));
  CHECK(f.shard->apply_through(Seq{2})->size() == 2);
  CHECK(near(f.shard, 0, 10) == Ids{PointId(1), PointId(2)});
  CHECK(f.shard->apply_through(Seq{1})->empty());
  const auto beyond = f.shard->apply_through(Seq{4});
  REQUIRE_FALSE(beyond.ok());
  CHECK(beyond.error().code == ErrorCode::InvalidArgument);
  CHECK(f.shard->truncate_after(Seq{1}).error().code == ErrorCode::FailedPrecondition);
  REQUIRE(f.shard->truncate_after(Seq{2}).ok());
  CHECK(f.shard->tail() == LogPosition{Term{1}, Seq{2}});
  CHECK(f.shard->read_log(Seq{1}, 1 << 20)->size() == 2);

  // Opening does not apply what may not be committed.
  REQUIRE(f.shard->append(std::vector{f.shard.entry(line(4, 4))}).ok());
  REQUIRE(f.shard.open_only().ok());
  CHECK(f.shard->tail().seq == Seq{3});
  CHECK(f.shard->applied() == Seq{2});
  CHECK(near(f.shard, 0, 10) == Ids{PointId(1), PointId(2)});
}

TEST_CASE("DiskShard: a page of points with rare matches is found by their slots",
          "[storage][shard]") {
  Fixture f;
  auto upsert = line(1, 1000);
  for (const std::size_t i : {10U, 500U, 900U}) upsert.points[i].payload["rare"] = true;
  REQUIRE(f.shard.write(upsert).ok());
  ScrollQuery query;
  query.filter = filter_of({{"rare", true}});
  query.limit = 2;
  CHECK(ids_of(f.shard->scroll(CallContext{}, query).value()) == Ids{PointId(11), PointId(501)});
  query.after = PointId(501);
  CHECK(ids_of(f.shard->scroll(CallContext{}, query).value()) == Ids{PointId(901)});
  CHECK(f.shard->ids_matching(CallContext{}, *query.filter, 1).value() == Ids{PointId(11)});
}

TEST_CASE("DiskShard: fields are summed up", "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 3)).ok());
  const auto fields = f.shard->fields(10);
  REQUIRE(fields.ok());
  REQUIRE(fields->size() == 1);
  CHECK(fields->front().name == "i");
  CHECK(fields->front().points == 3);
}

TEST_CASE("DiskShard: a crash falls back to the last flush and is replayed from the log",
          "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 5), request_of(1)).ok());
  REQUIRE(f.shard->flush_index(CallContext{}).ok());
  REQUIRE(f.shard.write(ErasePoints{{PointId(2)}}, request_of(2)).ok());
  REQUIRE(f.shard.write(line(6, 7), request_of(3)).ok());
  REQUIRE(error_of(f.shard.crash()) == "");
  // Two entries were not flushed: exactly they are applied again, with the same results.
  CHECK(f.shard.recovered() ==
        std::vector<MutationResult>{MutationResult{1, 0}, MutationResult{2, 2}});
  CHECK(near(f.shard, 0, 10) ==
        Ids{PointId(1), PointId(3), PointId(4), PointId(5), PointId(6), PointId(7)});
  CHECK(f.shard->find_request(request_of(3)) == MutationResult{2, 2});
  // A clean stop leaves nothing to replay.
  REQUIRE(f.shard.open().ok());
  CHECK(f.shard.recovered().empty());
}

TEST_CASE("DiskShard: the log is not trimmed before the state is on disk", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Options options;
  options.log_entries_kept = 10;
  TestShard shard(scratch / "shard", spec_of(2), options);
  REQUIRE(shard.open().ok());
  for (std::uint64_t i = 1; i <= 50; ++i) {
    REQUIRE(shard.write(line(i, i), request_of(static_cast<std::uint8_t>(i))).ok());
  }
  // Nothing was flushed: a crash needs the log from its beginning.
  CHECK(shard->read_log(Seq{1}, 1)->front().seq == Seq{1});
  REQUIRE(shard.crash().ok());
  CHECK(shard.recovered().size() == 50);
  CHECK(near(shard, 0, 100).size() == 50);

  REQUIRE(shard->flush_index(CallContext{}).ok());
  REQUIRE(shard.write(line(51, 51)).ok());
  const auto gone = shard->read_log(Seq{1}, 1);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == ErrorCode::FailedPrecondition);
  // The newest ten are there, and their request ids.
  CHECK(shard->read_log(Seq{42}, 1 << 20)->size() == 10);
  CHECK(shard->find_request(request_of(42)));
  CHECK_FALSE(shard->find_request(request_of(30)));
  REQUIRE(shard.crash().ok());
  CHECK(shard->read_log(Seq{42}, 1 << 20)->size() == 10);
  CHECK(near(shard, 0, 100).size() == 51);
}

TEST_CASE("DiskShard: the log is trimmed to its bytes, request ids stay", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Options options;
  options.log_bytes_kept = 1000;
  TestShard shard(scratch / "shard", spec_of(2), options);
  REQUIRE(shard.open().ok());
  for (std::uint64_t i = 1; i <= 50; ++i) {
    REQUIRE(shard.write(line(i, i), request_of(static_cast<std::uint8_t>(i))).ok());
  }
  REQUIRE(shard->flush_index(CallContext{}).ok());
  REQUIRE(shard.write(line(51, 51)).ok());
  CHECK_FALSE(shard->read_log(Seq{30}, 1).ok());
  CHECK(shard->read_log(Seq{45}, 1).ok());
  CHECK(shard->find_request(request_of(1)));
  REQUIRE(shard.open().ok());
  CHECK_FALSE(shard->read_log(Seq{30}, 1).ok());
  CHECK(shard->find_request(request_of(1)));
}

TEST_CASE("DiskShard: a damaged index snapshot costs time, never answers", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Options options;
  options.exact_search_points = 50;
  TestShard shard(scratch / "shard", spec_of(2), options);
  REQUIRE(shard.open().ok());
  REQUIRE(shard.write(line(1, 300)).ok());
  REQUIRE(shard->flush_index(CallContext{}).ok());
  REQUIRE(shard.write(ErasePoints{{PointId(100)}}).ok());
  REQUIRE(shard.write(line(301, 305)).ok());
  const auto file = shard.directory() / "index.graph";
  REQUIRE(std::filesystem::file_size(file) > 1000);
  const auto check = [&] {
    REQUIRE(error_of(shard.open()) == "");
    CHECK(near(shard, 100, 3) == Ids{PointId(99), PointId(101), PointId(98)});
    CHECK(near(shard, 400, 2) == Ids{PointId(305), PointId(304)});
    REQUIRE(error_of(shard->flush_index(CallContext{})) == "");
    CHECK(shard->stats().unindexed == 0);
    CHECK(near(shard, 100, 2) == Ids{PointId(99), PointId(101)});
    shard.close();
  };
  spdlog::set_level(spdlog::level::err);
  SECTION("as it is") {
    check();
  }
  SECTION("missing") {
    shard.close();
    std::filesystem::remove(file);
    check();
  }
  SECTION("cut") {
    shard.close();
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    check();
  }
  SECTION("changed") {
    shard.close();
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(700).put('!');
    check();
  }
  spdlog::set_level(spdlog::level::info);
}

TEST_CASE("DiskShard: a shard that lost all its points needs no snapshot", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Options options;
  options.exact_search_points = 50;
  TestShard shard(scratch / "shard", spec_of(2), options);
  REQUIRE(shard.open().ok());
  REQUIRE(shard.write(line(1, 300)).ok());
  REQUIRE(shard->flush_index(CallContext{}).ok());
  ErasePoints all;
  for (std::uint64_t i = 1; i <= 300; ++i) all.ids.push_back(PointId(i));
  CHECK(shard.write(all).value() == MutationResult{300, 0});
  REQUIRE(shard.open().ok());
  CHECK(shard->stats().points == 0);
  CHECK(near(shard, 1, 5).empty());
  REQUIRE(shard.write(line(1, 2)).ok());
  CHECK(near(shard, 1, 5) == Ids{PointId(1), PointId(2)});
}

TEST_CASE("DiskShard: another collection, shard or format is refused", "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 3)).ok());
  f.shard.close();
  auto& environment = f.shard.environment();
  const auto refusal = [&](const CollectionSpec& spec, ShardId shard) {
    const auto opened = DiskShard::open(f.shard.directory(), spec, shard, environment);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == ErrorCode::FailedPrecondition);
    return opened.error().message;
  };
  CHECK(refusal(spec_of(3), ShardId{0}) == "the shard was made with dimension 2, not 3");
  CHECK(refusal(spec_of(2, Metric::Dot), ShardId{0}) ==
        "the shard was made with metric \"euclidean\", not \"dot\"");
  CHECK(refusal(spec_of(2), ShardId{1}) == "the directory holds shard 0, not 1");
  auto unfit = spec_of(2);
  unfit.dimension = 0;
  CHECK(DiskShard::open(f.shard.directory(), unfit, ShardId{0}, environment).error().code ==
        ErrorCode::InvalidArgument);
  std::ofstream(f.shard.directory() / "MANIFEST") << R"({"format": 3})";
  CHECK(refusal(spec_of(2), ShardId{0}).find("format 3") != std::string::npos);
}

TEST_CASE("DiskShard: missing parts are a Corruption, not an empty shard", "[storage][shard]") {
  Fixture f;
  REQUIRE(f.shard.write(line(1, 3)).ok());
  f.shard.close();
  SECTION("manifest") {
    std::filesystem::remove(f.shard.directory() / "MANIFEST");
    const auto opened = f.shard.open();
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == ErrorCode::Corruption);
    CHECK(opened.error().message.find("manifest is missing") != std::string::npos);
  }
  SECTION("database") {
    std::filesystem::remove_all(f.shard.directory() / "rocksdb");
    const auto opened = f.shard.open();
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == ErrorCode::Corruption);
  }
  SECTION("a table of the database") {
    std::size_t removed = 0;
    for (const auto& entry : std::filesystem::directory_iterator(f.shard.directory() / "rocksdb")) {
      if (entry.path().extension() != ".sst") continue;
      std::filesystem::remove(entry.path());
      ++removed;
    }
    REQUIRE(removed > 0);
    const auto opened = f.shard.open();
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("DiskShard: a making that was interrupted is finished", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  TestShard shard(scratch / "shard", spec_of(2), Options{});
  REQUIRE(shard.open().ok());
  shard.close();
  std::filesystem::remove(shard.directory() / "MANIFEST");
  REQUIRE(error_of(shard.open()) == "");
  CHECK(shard.write(line(1, 1)).ok());
}

TEST_CASE("DiskShard: is closed when its lease is given back", "[storage][shard]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  const ManualClock clock;
  ShardEnvironment environment(Options{}, clock);
  const auto open = [&](std::shared_ptr<void> lease) {
    return DiskShard::open(scratch / "s", spec_of(2), ShardId{0}, environment, std::move(lease));
  };
  bool reopened = false;
  {
    const auto first =
        open(std::shared_ptr<void>(nullptr, [&](void*) { reopened = open(nullptr).ok(); }));
    REQUIRE(first.ok());
    CHECK(open(nullptr).error().code == ErrorCode::Unavailable);
  }
  CHECK(reopened);
}

TEST_CASE("DiskShard: says what it takes on disk", "[storage][shard]") {
  Fixture f;
  const auto before = f.shard->stats().disk_bytes;
  UpsertPoints upsert = line(1, 1);
  upsert.points[0].text = std::string(100'000, 'x');
  REQUIRE(f.shard.write(upsert).ok());
  CHECK(f.shard->stats().disk_bytes > before + 100'000);
}
