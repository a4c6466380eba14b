// The keeper on the embedded store, and on one whose answers a test decides: what is passed on as
// which outcome, and that nobody waits for a store that hangs.

#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "cluster/coordination/embedded_store.h"
#include "cluster/replication/record_keepers.h"
#include "tests/cluster/record_probe.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

using namespace testing;
using replication::RecordKeepers;
using replication::SwapOutcome;

/// Answers transactions as a test says, holds them back, and counts how many run at once.
class MoodyStore final : public CoordinationStore {
 public:
  enum class Mood { Honest, Refuses, LosesAnswer, LosesRequest, Lies };

  explicit MoodyStore(CoordinationStore& inner) : inner_(inner) {}

  void set(Mood mood) { mood_ = mood; }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void await_calls(std::size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return inside_ >= count; }));
  }
  std::size_t most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  std::size_t calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    if (mood_ == Mood::Refuses) return Error{ErrorCode::Unavailable, "no store"};
    return inner_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    return inner_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    enter();
    if (!call.deadline) return Error{ErrorCode::InvalidArgument, "a call without an end"};
    if (mood_ == Mood::Refuses) return Error{ErrorCode::Unavailable, "no store"};
    if (mood_ == Mood::LosesRequest) return TxnResult{};
    auto result = inner_.txn({}, compares, puts);
    if (mood_ == Mood::LosesAnswer) return TxnResult{};
    return result;
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override {
    return inner_.grant(call, ttl, std::move(on_lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return inner_.watch(prefix, after, std::move(callback));
  }

 private:
  void enter() {
    std::unique_lock lock(mutex_);
    ++calls_;
    ++inside_;
    most_ = std::max(most_, inside_);
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !held_; });
    --inside_;
  }

  CoordinationStore& inner_;
  std::atomic<Mood> mood_{Mood::Honest};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::size_t inside_ = 0;
  std::size_t most_ = 0;
  std::size_t calls_ = 0;
};

using Mood = MoodyStore::Mood;

struct Bench {
  Bench() {
    auto opened = EmbeddedStore::open(dir.path() / "meta");
    REQUIRE(opened.ok());
    inner = std::move(*opened);
    first = found_record(*inner);
    moody = std::make_unique<MoodyStore>(*inner);
    auto source = ViewSource::open(*inner, {});
    REQUIRE(source.ok());
    views = std::move(*source);
    keepers.emplace(*moody, *views, RecordKeepers::Options{2, std::chrono::seconds(2)});
  }
  ~Bench() {
    views->on_change({});
    moody->let_go();
  }

  std::unique_ptr<replication::RecordKeeper> follow() {
    return keepers->follow(kDocs, ShardId{0}, probe.news());
  }
  std::string stored() {
    const auto entry = inner->get({}, keys::shard(kDocs, ShardId{0}));
    REQUIRE(entry.ok());
    return (*entry)->value;
  }

  TempDir dir;
  std::unique_ptr<EmbeddedStore> inner;
  std::unique_ptr<MoodyStore> moody;
  std::unique_ptr<ViewSource> views;
  Revision first{0};
  RecordProbe probe;
  std::optional<RecordKeepers> keepers;
};

TEST_CASE("Record keeper: on the embedded store", "[cluster][replication]") {
  const TempDir dir;
  auto store = EmbeddedStore::open(dir.path() / "meta");
  REQUIRE(store.ok());
  record_keeper_suite(**store);
}

TEST_CASE("Record keeper: what the store does not tell is unknown", "[cluster][replication]") {
  Bench bench;
  auto link = bench.follow();
  SECTION("it was written") {
    bench.moody->set(Mood::LosesAnswer);
    bench.probe.swap(*link, 1, bench.first, in_term(2));
    CHECK(bench.probe.answer(1).outcome == SwapOutcome::Unknown);
    CHECK(bench.stored() == in_term(2).to_json().dump());
    // Asked again with the same comparison, it is known.
    bench.moody->set(Mood::Honest);
    bench.probe.swap(*link, 2, bench.first, in_term(2));
    CHECK(bench.probe.answer(2).outcome == SwapOutcome::Conflict);
    bench.probe.read(*link);
    CHECK(bench.probe.seen(Term{2}).revision > bench.first);
  }
  SECTION("it was not") {
    bench.moody->set(Mood::LosesRequest);
    bench.probe.swap(*link, 1, bench.first, in_term(2));
    CHECK(bench.probe.answer(1).outcome == SwapOutcome::Unknown);
    CHECK(bench.stored() == two_copies().to_json().dump());
    bench.moody->set(Mood::Honest);
    bench.probe.swap(*link, 2, bench.first, in_term(2));
    CHECK(bench.probe.answer(2).outcome == SwapOutcome::Done);
  }
}

TEST_CASE("Record keeper: a store that surely wrote nothing says so", "[cluster][replication]") {
  Bench bench;
  auto link = bench.follow();
  bench.moody->set(Mood::Refuses);
  bench.probe.swap(*link, 1, bench.first, in_term(2));
  const auto answer = bench.probe.answer(1);
  CHECK(answer.outcome == SwapOutcome::NotWritten);
  CHECK(answer.revision == Revision{0});
  CHECK(bench.stored() == two_copies().to_json().dump());
}

TEST_CASE("Record keeper: nobody waits for a store that hangs", "[cluster][replication]") {
  Bench bench;
  auto link = bench.follow();
  bench.probe.seen(Term{1});
  bench.moody->hold();
  bench.probe.swap(*link, 1, bench.first, in_term(2));
  bench.moody->await_calls(1);
  // These return, and the last of them takes the place of the others.
  for (std::uint64_t id = 2; id <= 100; ++id) {
    bench.probe.swap(*link, id, bench.first, in_term(id + 1));
    bench.probe.read(*link);
  }
  CHECK(bench.probe.answers() == 0);
  bench.moody->let_go();
  CHECK(bench.probe.answer(1).outcome == SwapOutcome::Done);
  CHECK(bench.probe.answer(100).outcome == SwapOutcome::Conflict);
  CHECK(bench.probe.answers() == 2);
  CHECK(bench.moody->calls() == 2);
}

TEST_CASE("Record keeper: copies take turns on a bounded pool", "[cluster][replication]") {
  Bench bench;
  std::vector<std::unique_ptr<replication::RecordKeeper>> keepers_of;
  std::vector<std::unique_ptr<RecordProbe>> probes;
  bench.moody->hold();
  for (std::uint32_t i = 0; i < 50; ++i) {
    auto& probe = *probes.emplace_back(std::make_unique<RecordProbe>());
    keepers_of.push_back(bench.keepers->follow(kDocs, ShardId{i + 1}, probe.news()));
    probe.swap(*keepers_of.back(), 1, Revision{0}, in_term(2));
  }
  bench.moody->await_calls(2);
  bench.moody->let_go();
  for (auto& probe : probes) CHECK(probe->answer(1).outcome == SwapOutcome::Done);
  CHECK(bench.moody->most() == 2);
  CHECK(bench.moody->calls() == 50);
}

TEST_CASE("Record keeper: the view waits for nobody who is told", "[cluster][replication]") {
  Bench bench;
  std::promise<void> free;
  auto freed = free.get_future().share();
  std::promise<void> entered;
  std::atomic<int> told{0};
  std::atomic<bool> waited{false};
  auto slow = bench.keepers->follow(kDocs, ShardId{0}, [&](replication::RecordSeen) {
    if (told++ > 0) return;
    entered.set_value();
    waited = freed.wait_for(std::chrono::seconds(20)) == std::future_status::timeout;
  });
  entered.get_future().wait();
  bench.keepers->look();
  free.set_value();
  // Ends behind what it is told.
  slow.reset();
  CHECK_FALSE(waited);
}

TEST_CASE("Record keeper: behind its end nothing is told", "[cluster][replication]") {
  Bench bench;
  auto link = bench.follow();
  bench.probe.seen(Term{1});
  bench.moody->hold();
  bench.probe.swap(*link, 1, bench.first, in_term(2));
  bench.moody->await_calls(1);
  // Not by waiting for the store.
  link.reset();
  bench.moody->let_go();
  // Its transaction took effect, for others to see.
  RecordProbe other;
  bench.views->on_change([&] { bench.keepers->look(); });
  auto next = bench.keepers->follow(kDocs, ShardId{0}, other.news());
  other.seen(Term{2});
  CHECK(bench.probe.answers() == 0);
  CHECK(bench.probe.all_seen().size() == 1);
}

TEST_CASE("Record keeper: ends with calls under way and waiting", "[cluster][replication]") {
  Bench bench;
  auto link = bench.follow();
  bench.probe.seen(Term{1});
  bench.moody->hold();
  bench.probe.swap(*link, 1, bench.first, in_term(2));
  bench.moody->await_calls(1);
  bench.probe.swap(*link, 2, bench.first, in_term(3));
  std::thread closer([&] { bench.keepers->close(); });
  bench.moody->let_go();
  closer.join();
  // The second may have begun before.
  const auto calls = bench.moody->calls();
  bench.probe.swap(*link, 3, bench.first, in_term(4));
  bench.keepers->look();
  bench.probe.read(*link);
  CHECK(bench.stored() == in_term(2).to_json().dump());
  CHECK(bench.moody->calls() == calls);
  CHECK(calls <= 2);
}

TEST_CASE("Record keeper: what cannot be understood, or is not there, is not told",
          "[cluster][replication]") {
  Bench bench;
  bench.views->on_change([&] { bench.keepers->look(); });
  const auto key = keys::shard(kDocs, ShardId{0});
  auto link = bench.follow();
  bench.probe.seen(Term{1});
  const auto broken = bench.inner->txn({}, {}, {{key, R"({"term":7})"}});
  REQUIRE(broken.ok());
  REQUIRE(bench.views->await({}, broken->revision).ok());
  bench.probe.read(*link);
  RecordProbe nobody;
  auto missing = bench.keepers->follow(kDocs, ShardId{9}, nobody.news());
  nobody.read(*missing);
  // Answered behind the reads.
  bench.probe.swap(*link, 1, bench.first, in_term(2));
  CHECK(bench.probe.answer(1).outcome == SwapOutcome::Conflict);
  nobody.swap(*missing, 1, Revision{77}, in_term(2));
  CHECK(nobody.answer(1).outcome == SwapOutcome::Conflict);
  CHECK(bench.probe.all_seen().size() == 1);
  CHECK(nobody.all_seen().empty());

  // Mended by somebody, it is told with its own revision.
  const auto mended = bench.inner->txn({}, {}, {{key, in_term(5).to_json().dump()}});
  REQUIRE(mended.ok());
  CHECK(bench.probe.seen(Term{5}).revision == mended->revision);
  // A store that cannot be read tells nothing.
  bench.moody->set(Mood::Refuses);
  const auto before = bench.probe.all_seen().size();
  bench.probe.read(*link);
  bench.probe.swap(*link, 2, bench.first, in_term(6));
  CHECK(bench.probe.answer(2).outcome == SwapOutcome::NotWritten);
  CHECK(bench.probe.all_seen().size() == before);
}

}  // namespace
}  // namespace quiver::cluster
