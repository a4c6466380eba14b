// Concurrent writers against one shard, judged by what a reader finds afterwards.

#include "cluster/local_replica.h"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "storage/shard_store.h"
#include "tests/cluster/forwarding_shard.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

CollectionSpec line_spec() {
  CollectionSpec spec;
  spec.id = std::string(32, 'a');
  spec.name = "line";
  spec.dimension = 2;
  spec.metric = Metric::Euclidean;
  return spec;
}

Point at(std::uint64_t id, float x, Json payload = Json::object()) {
  Point point;
  point.id = PointId(id);
  point.vector = {x, 0.0F};
  point.payload = std::move(payload);
  return point;
}

struct Fixture {
  Fixture() : store(dir.path(), storage::Options{}, clock) { reopen(); }
  void reopen() {
    replica.reset();
    auto shard = store.create(line_spec(), ShardId{0}, CopyId{std::string(32, 'c')});
    REQUIRE(shard.ok());
    auto opened = LocalReplica::open(std::move(shard).value());
    REQUIRE(opened.ok());
    replica = std::move(opened).value();
  }
  MutationResult write(WriteRequest request, RequestId id = {}) {
    CallContext call;
    call.request_id = id;
    const auto result = replica->write(call, std::move(request));
    REQUIRE(result.ok());
    return *result;
  }
  Result<MutationResult> replace_or_merge(UpdatePayload update) {
    return replica->write(CallContext{}, Mutation{std::move(update)});
  }
  std::uint64_t count() { return *replica->shard().count(CallContext{}, std::nullopt); }

  TempDir dir;
  ManualClock clock;
  storage::ShardStore store;
  std::unique_ptr<LocalReplica> replica;
};

TEST_CASE("LocalReplica: a retry with the same request id takes effect once", "[cluster]") {
  Fixture f;
  const auto id = RequestId::random();
  const auto first = f.write(Mutation{UpsertPoints{{at(1, 1), at(2, 2)}}}, id);
  CHECK(first.created == 2);
  f.write(Mutation{ErasePoints{{PointId(1)}}});
  CHECK(f.write(Mutation{UpsertPoints{{at(1, 1), at(2, 2)}}}, id) == first);
  CHECK(f.count() == 1);
  f.reopen();
  CHECK(f.write(Mutation{UpsertPoints{{at(1, 1), at(2, 2)}}}, id) == first);
  CHECK(f.count() == 1);
}

TEST_CASE("LocalReplica: many writers at once lose nothing and sync in groups", "[cluster]") {
  Fixture f;
  constexpr std::uint64_t kWriters = 8;
  constexpr std::uint64_t kEach = 100;
  std::atomic<std::uint64_t> created{0};
  std::vector<std::thread> writers;
  for (std::uint64_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        CallContext call;
        if (i % 2 == 0) call.request_id = RequestId::random();
        const auto result =
            f.replica->write(call, Mutation{UpsertPoints{{at(w * kEach + i, 1.0F)}}});
        if (result.ok()) created += result->created;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(created == kWriters * kEach);
  CHECK(f.count() == kWriters * kEach);
  CHECK(raw(f.replica->shard().tail().seq) == kWriters * kEach);
  f.reopen();
  CHECK(f.count() == kWriters * kEach);
}

TEST_CASE("LocalReplica: the same request id from two threads at once takes effect once",
          "[cluster]") {
  Fixture f;
  CallContext call;
  call.request_id = RequestId::random();
  std::atomic<std::uint64_t> answers{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&] {
      const auto result = f.replica->write(call, Mutation{UpsertPoints{{at(1, 1)}}});
      if (result.ok() && result->created == 1) ++answers;
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(answers == 4);
  CHECK(raw(f.replica->shard().tail().seq) == 1);
}

TEST_CASE("LocalReplica: a write that cannot be stored fails alone, not with its group",
          "[cluster]") {
  Fixture f;
  constexpr std::uint64_t kWriters = 6;
  constexpr std::uint64_t kEach = 50;
  std::atomic<std::uint64_t> stored{0};
  std::atomic<std::uint64_t> refused{0};
  std::vector<std::thread> writers;
  for (std::uint64_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const bool bad = w == 0;
        // Finite, but its square is beyond what a distance can hold.
        const auto result = f.replica->write(
            CallContext{}, Mutation{UpsertPoints{{at(w * kEach + i, bad ? 1e30F : 1.0F)}}});
        if (result.ok()) ++stored;
        if (!result.ok() && result.error().code == ErrorCode::InvalidArgument) ++refused;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(stored == (kWriters - 1) * kEach);
  CHECK(refused == kEach);
  CHECK(f.count() == (kWriters - 1) * kEach);
  CHECK(raw(f.replica->shard().tail().seq) == (kWriters - 1) * kEach);
}

/// Its log takes entries, its state does not.
class FullState final : public test::ForwardingShard {
 public:
  using ForwardingShard::ForwardingShard;
  Result<std::vector<MutationResult>> apply_through(Seq committed) override {
    if (is_full) return Error{ErrorCode::ResourceExhausted, "no space left"};
    return ForwardingShard::apply_through(committed);
  }
  bool is_full = false;
};

TEST_CASE("LocalReplica: a write that is logged but not shown says so, and takes effect",
          "[cluster]") {
  Fixture f;
  f.write(Mutation{UpsertPoints{{at(1, 1), at(2, 2)}}});
  f.replica.reset();
  auto shard = std::make_unique<FullState>(
      *f.store.create(line_spec(), ShardId{0}, CopyId{std::string(32, 'c')}));
  auto& state = *shard;
  f.replica = *LocalReplica::open(std::move(shard));
  state.is_full = true;
  std::vector<WriteRequest> writes;
  SECTION("an upsert") {
    writes.emplace_back(Mutation{UpsertPoints{{at(3, 3)}}});
  }
  SECTION("an erasure by filter") {
    writes.emplace_back(EraseMatching{*Filter::parse({{"k", {{"$exists", false}}}})});
  }
  const auto written = f.replica->write(CallContext{}, std::move(writes.front()));
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().code == ErrorCode::ResourceExhausted);
  CHECK_THAT(written.error().message, Catch::Contains("was stored"));
  CHECK_THAT(written.error().message, Catch::Contains("no space left"));
  CHECK(f.count() == 2);
  f.reopen();
  CHECK(f.count() != 2);
}

TEST_CASE("LocalReplica: erasing by filter sees what was written before it", "[cluster]") {
  Fixture f;
  f.write(Mutation{UpsertPoints{{at(1, 1, {{"k", "a"}}), at(2, 2, {{"k", "b"}})}}});
  const auto filter = Filter::parse({{"k", "a"}});
  REQUIRE(filter.ok());
  CHECK(f.write(EraseMatching{*filter}).affected == 1);
  CHECK(f.count() == 1);
  CHECK(f.write(EraseMatching{*filter}).affected == 0);
}

TEST_CASE("LocalReplica: an erasure by filter of more ids than an entry holds is one write",
          "[cluster]") {
  Fixture f;
  constexpr std::uint64_t kPoints = 20'000;
  UpsertPoints upsert;
  for (std::uint64_t i = 0; i < kPoints; ++i) {
    auto point = at(i, 1.0F, {{"k", i < kPoints - 3 ? "a" : "b"}});
    point.id = *PointId::from_text(std::to_string(i) + std::string(500, 'x'));
    upsert.points.push_back(std::move(point));
    if (upsert.points.size() == 1000) f.write(Mutation{std::exchange(upsert, {})});
  }
  const Seq before = f.replica->shard().tail().seq;
  const auto filter = Filter::parse({{"k", "a"}});
  const auto id = RequestId::random();
  const auto erased = f.write(EraseMatching{*filter}, id);
  CHECK(erased == MutationResult{kPoints - 3, 0});
  CHECK(f.count() == 3);
  CHECK(raw(f.replica->shard().tail().seq) - raw(before) > 2);

  // A retry takes no effect on what was stored since, and has the same answer.
  f.write(Mutation{UpsertPoints{{at(1, 1, {{"k", "a"}})}}});
  CHECK(f.write(EraseMatching{*filter}, id) == erased);
  CHECK(f.count() == 4);
  f.reopen();
  CHECK(f.write(EraseMatching{*filter}, id) == erased);
  CHECK(f.count() == 4);
}

TEST_CASE("LocalReplica: an update that makes a point too large changes nothing", "[cluster]") {
  Fixture f;
  const std::string half(limits::kPayloadBytesMax / 2, 'x');
  auto large = at(1, 1, {{"a", half}});
  f.write(Mutation{UpsertPoints{{large, at(2, 2)}}});
  const auto update = [&](const Json& payload, UpdatePayload::Mode mode) {
    return f.replace_or_merge({{PointId(2), PointId(1)}, mode, payload});
  };
  using Mode = UpdatePayload::Mode;
  const auto refused = update({{"b", half}}, Mode::Merge);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
  CHECK_THAT(refused.error().message,
             Catch::Contains("point 1 after the update: text and metadata may have 1048576 bytes"));
  for (int opened = 0; opened < 2; ++opened) {
    const auto points = f.replica->shard().get(std::vector{PointId(1), PointId(2)}, {});
    REQUIRE(points.ok());
    CHECK((*points)[0].payload == large.payload);
    CHECK((*points)[1].payload == Json::object());
    f.reopen();
  }
  // The key that is replaced counts no more.
  CHECK(update({{"a", half}}, Mode::Merge)->affected == 2);
  CHECK(update({{"b", half}, {"a", nullptr}}, Mode::Merge)->affected == 2);
  CHECK(update({{"c", half}}, Mode::Replace)->affected == 2);

  // The text counts.
  auto with_text = at(3, 3);
  with_text.text = half;
  f.write(Mutation{UpsertPoints{{with_text}}});
  CHECK_FALSE(f.replace_or_merge({{PointId(3)}, Mode::Replace, {{"c", half}}}).ok());
}

TEST_CASE("LocalReplica: a cancelled write does not take effect", "[cluster]") {
  Fixture f;
  CallContext call;
  call.cancel = CancelToken::make();
  call.cancel.cancel();
  const auto result = f.replica->write(call, Mutation{UpsertPoints{{at(1, 1)}}});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::DeadlineExceeded);
  CHECK(f.count() == 0);
}

/// Does not store anything before it is let.
class SlowShard final : public test::ForwardingShard {
 public:
  using ForwardingShard::ForwardingShard;
  Status append(std::span<const LogEntry> entries) override {
    entered = true;
    slow.wait(true);
    return ForwardingShard::append(entries);
  }
  std::atomic<bool> slow{true};
  std::atomic<bool> entered{false};
};

TEST_CASE("LocalReplica: a hold that is ended before it began holds nothing", "[cluster]") {
  Fixture fixture;
  fixture.replica.reset();
  auto inner = fixture.store.create(line_spec(), ShardId{0}, CopyId{std::string(32, 'c')});
  REQUIRE(inner.ok());
  auto made = std::make_unique<SlowShard>(std::move(inner).value());
  auto& shard = *made;
  auto opened = LocalReplica::open(std::move(made));
  REQUIRE(opened.ok());
  auto& replica = **opened;

  std::thread writer(
      [&] { CHECK(replica.write(CallContext{}, Mutation{UpsertPoints{{at(1, 1)}}}).ok()); });
  while (!shard.entered) std::this_thread::yield();
  // It waits for the write that is under way; what ends it comes first.
  const bool retires = GENERATE(false, true);
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::atomic<bool> over{false};
  ErrorCode code = ErrorCode::Internal;
  std::thread holder([&] {
    const auto held = replica.hold(call);
    if (!held.ok()) code = held.error().code;
    over = true;
  });
  while (!over && call.check().ok()) {
    if (retires) {
      replica.retire();
    } else {
      replica.release();
    }
    std::this_thread::yield();
  }
  holder.join();
  CHECK(code == (retires ? ErrorCode::WrongOwner : ErrorCode::FailedPrecondition));
  shard.slow = false;
  shard.slow.notify_all();
  writer.join();
  if (!retires) {
    // Nothing is left of it.
    CHECK(replica.write(CallContext{}, Mutation{UpsertPoints{{at(2, 2)}}}).ok());
    CHECK(replica.hold(CallContext{}).ok());
    replica.release();
  }
}

}  // namespace
}  // namespace quiver::cluster
