#pragma once

// Three real copies of a shard in one process, with a record that is changed by compare-and-swap
// and a network whose links can be cut.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/replication/promotion.h"
#include "cluster/replication/replicated_copy.h"
#include "storage/shard_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster::replication::test {

using namespace std::chrono_literals;

inline CollectionSpec line_spec() {
  CollectionSpec spec;
  spec.id = std::string(32, 'a');
  spec.name = "line";
  spec.dimension = 2;
  spec.metric = Metric::Euclidean;
  return spec;
}

inline Point at(std::uint64_t id, double x) {
  Point point;
  point.id = PointId(id);
  point.vector = {static_cast<float>(x), 0.0F};
  point.payload = Json{{"x", x}};
  return point;
}

inline Mutation put(std::uint64_t id, double x) {
  return UpsertPoints{{at(id, x)}};
}

inline std::string error_of(const Error& error) {
  return error.message;
}
template <typename T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? std::string() : result.error().message;
}

/// Short enough for tests, long enough for a machine that does other things beside.
inline ReplicatedCopy::Options quick() {
  ReplicatedCopy::Options options;
  auto& rules = options.rules;
  rules.tick = 10ms;
  rules.heartbeat = 50ms;
  rules.lease = 400ms;
  rules.grace = 600ms;
  rules.eject_after = 500ms;
  rules.join_lag = 200ms;
  rules.swap_retry = 50ms;
  rules.snapshot_retry = 100ms;
  rules.hand_off = 5s;
  rules.linearizable_wait = 1s;
  rules.eventual_bound = 1s;
  options.record_retry = 100ms;
  return options;
}

/// The shard's record.
class TestRecord {
 public:
  explicit TestRecord(ShardState first) : record_(std::move(first)) {}

  SwapOutcome swap(Revision expected, const ShardState& desired, Revision& revision) {
    const MutexLock lock(mutex_);
    if (away_) return SwapOutcome::NotWritten;
    if (expected != revision_) return SwapOutcome::Conflict;
    record_ = desired;
    revision_ = revision = Revision{static_cast<std::uint64_t>(revision_) + 1};
    return SwapOutcome::Done;
  }
  std::optional<RecordSeen> read() const {
    const MutexLock lock(mutex_);
    if (away_) return std::nullopt;
    return RecordSeen{record_, revision_};
  }
  void set_away(bool away) {
    const MutexLock lock(mutex_);
    away_ = away;
  }

 private:
  mutable Mutex mutex_;
  ShardState record_ QV_GUARDED_BY(mutex_);
  Revision revision_ QV_GUARDED_BY(mutex_){1};
  bool away_ QV_GUARDED_BY(mutex_) = false;
};

class TestKeeper final : public RecordKeeper {
 public:
  explicit TestKeeper(TestRecord& record) : record_(record) {}
  void swap(SwapId id, Revision expected, std::shared_ptr<const ShardState> desired,
            Answered answer) override {
    Revision revision{0};
    const auto outcome = record_.swap(expected, *desired, revision);
    answer({id, outcome, revision});
  }
  void read(Seen seen) override {
    if (const auto record = record_.read()) seen(*record);
  }

 private:
  TestRecord& record_;
};

/// Passes parcels on by threads of its own, as bytes.
class TestNetwork final : public Outbox {
 public:
  using Find = std::function<std::shared_ptr<ReplicatedCopy>(const CopyId&)>;

  TestNetwork(std::filesystem::path directory, Find find)
      : directory_(std::move(directory)), find_(std::move(find)) {}

  void send(Parcel parcel) override {
    const MutexLock lock(mutex_);
    if (closed_ || cut_.contains({parcel.from, parcel.to})) return;
    auto& strand = strands_[parcel.to];
    if (strand == nullptr) strand = std::make_unique<Strand>(pool_);
    strand->post([this, parcel = std::move(parcel)] { arrive(parcel); });
  }
  void send_snapshot(const SnapshotOrder& order) override {
    files_.post([this, order] { carry(order); });
  }

  void cut(const CopyId& a, const CopyId& b, bool apart = true) {
    const MutexLock lock(mutex_);
    for (const auto& pair : {std::pair{a, b}, std::pair{b, a}}) {
      if (apart) {
        cut_.insert(pair);
      } else {
        cut_.erase(pair);
      }
    }
  }
  /// Nothing arrives any more.
  void close() {
    std::map<CopyId, std::unique_ptr<Strand>> ways;
    {
      const MutexLock lock(mutex_);
      closed_ = true;
      ways.swap(strands_);
    }
    ways.clear();
    files_.close();
  }
  std::size_t snapshots() const { return snapshots_; }
  std::size_t refused() const { return refused_; }

 private:
  bool is_cut(const CopyId& from, const CopyId& to) const {
    const MutexLock lock(mutex_);
    return closed_ || cut_.contains({from, to});
  }
  void arrive(const Parcel& parcel) {
    if (is_cut(parcel.from, parcel.to)) return;
    const auto target = find_(parcel.to);
    if (target == nullptr) return;
    ArrivedParcel arrived{parcel.from, {}, parcel.message, {}};
    for (const auto& entry : parcel.entries) arrived.entries.push_back(entry->bytes);
    if (!target->receive(std::move(arrived)).ok()) ++refused_;
  }
  void carry(const SnapshotOrder& order) {
    const auto source = find_(order.from);
    if (source == nullptr) return;
    if (!carry(order, *source)) source->snapshot_ended(order.to, false);
  }
  bool carry(const SnapshotOrder& order, ReplicatedCopy& source) {
    const auto target = find_(order.to);
    if (target == nullptr || is_cut(order.from, order.to)) return false;
    const auto directory = directory_ / std::to_string(++made_);
    const auto history = source.checkpoint(directory);
    if (!history.ok()) return false;
    const auto received = target->expect_snapshot();
    if (!received.ok()) return false;
    std::error_code problem;
    std::filesystem::copy(directory, *received, std::filesystem::copy_options::recursive, problem);
    std::filesystem::remove_all(directory, problem);
    ++snapshots_;
    target->receive_snapshot({}, {order.from, order.term, *history, order.sent_at},
                             [this, order](bool installed) {
                               const auto copy = find_(order.from);
                               if (copy) copy->snapshot_ended(order.to, installed);
                             });
    return true;
  }

  const std::filesystem::path directory_;
  const Find find_;
  std::atomic<std::size_t> made_{0};
  std::atomic<std::size_t> snapshots_{0};
  std::atomic<std::size_t> refused_{0};
  mutable Mutex mutex_;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  std::set<std::pair<CopyId, CopyId>> cut_ QV_GUARDED_BY(mutex_);
  WorkPool pool_{3};
  std::map<CopyId, std::unique_ptr<Strand>> strands_ QV_GUARDED_BY(mutex_);
  Strand files_{pool_};
};

/// A server with one copy.
struct Site {
  CopyId id;
  std::unique_ptr<storage::ShardStore> store;
  WrapShard wrap;
  std::atomic<bool> retired{false};
  Mutex mutex;
  std::shared_ptr<ReplicatedCopy> copy QV_GUARDED_BY(mutex);
};

struct WorldOptions {
  ReplicatedCopy::Options copy = quick();
  storage::Options storage;
  /// Of the three, how many are in sync when the shard begins.
  std::size_t in_sync = 3;
};

class CopiesWorld {
 public:
  explicit CopiesWorld(const WorldOptions& options = {})
      : options_(options),
        record(first_record(options)),
        keeper_(record),
        network(dir_.path() / "way", [this](const CopyId& id) { return find(id); }) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      sites_[i].id = id_of(i);
      sites_[i].store = std::make_unique<storage::ShardStore>(dir_.path() / std::to_string(i),
                                                              options.storage, clock_);
      const auto made = CopyDisk::make(place(i), Revision{1});
      INFO(error_of(made));
      REQUIRE(made.ok());
    }
    std::filesystem::create_directories(dir_.path() / "way");
  }
  virtual ~CopiesWorld() { end(); }
  CopiesWorld(const CopiesWorld&) = delete;
  CopiesWorld& operator=(const CopiesWorld&) = delete;

  static CopyId id_of(std::size_t i) { return {std::string(32, static_cast<char>('b' + i))}; }

  void start() {
    for (std::size_t i = 0; i < sites_.size(); ++i) start(i);
  }
  void start(std::size_t i) {
    Site& site = sites_[i];
    const ReplicatedCopy::Parts parts{pool_, outbox(i), keeper_, rules_,
                                      [&site] { site.retired = true; }};
    auto opened = ReplicatedCopy::open(place(i), parts, options_.copy);
    INFO(error_of(opened));
    REQUIRE(opened.ok());
    {
      const MutexLock lock(site.mutex);
      site.copy = *opened;
    }
    started(i, *opened);
    ticker_.add(*opened);
  }
  /// As a process that ends: what was not answered never is.
  void stop(std::size_t i) {
    std::shared_ptr<ReplicatedCopy> gone;
    {
      const MutexLock lock(sites_[i].mutex);
      gone.swap(sites_[i].copy);
    }
    if (gone == nullptr) return;
    stopping(i);
    gone->close();
    // Others may still be at it.
    const std::weak_ptr<ReplicatedCopy> last = gone;
    gone.reset();
    while (!last.expired()) std::this_thread::yield();
  }
  std::shared_ptr<ReplicatedCopy> copy(std::size_t i) {
    const MutexLock lock(sites_[i].mutex);
    return sites_[i].copy;
  }
  Site& site(std::size_t i) { return sites_[i]; }
  std::shared_ptr<ReplicatedCopy> find(const CopyId& id) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (sites_[i].id == id) return copy(i);
    }
    return nullptr;
  }
  /// Where the record's primary is.
  std::size_t primary() const {
    const auto primary = record.read()->record.primary;
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (sites_[i].id == primary) return i;
    }
    return sites_.size();
  }

  /// Tells everybody of the record, as a watch would.
  void show_record() {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (const auto one = copy(i)) one->record_seen(*record.read());
    }
  }
  /// As whoever looks after the cluster does when the primary seems gone.
  bool fail_over() {
    const auto seen = record.read();
    std::vector<CopyReport> reports;
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      const auto one = copy(i);
      if (one == nullptr || one->status().role == Role::Failed) continue;
      reports.push_back({sites_[i].id, one->status().durable});
    }
    const auto next = promote(seen->record, reports);
    if (!next) return false;
    Revision revision{0};
    const bool done = record.swap(seen->revision, *next, revision) == SwapOutcome::Done;
    show_record();
    return done;
  }

  /// One attempt at the primary of the record.
  Result<Written> try_write(const WriteRequest& request, const RequestId& id,
                            std::chrono::milliseconds patience = 3000ms) {
    const auto target = copy(primary());
    if (target == nullptr) return Error{ErrorCode::Unavailable, "the primary is down"};
    CallContext call;
    call.request_id = id;
    call.deadline = std::chrono::steady_clock::now() + patience;
    return target->write_at(call, request);
  }
  /// Until it is done, under one request id.
  Written write(const WriteRequest& request, RequestId id = RequestId::random()) {
    std::string why;
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < until) {
      const auto written = try_write(request, id);
      if (written.ok()) return *written;
      why = written.error().message;
      if (!traits(written.error().code).retryable && written.error().code != ErrorCode::WrongOwner)
        break;
      std::this_thread::sleep_for(5ms);
    }
    INFO(why);
    REQUIRE(why.empty());
    return {};
  }

  template <typename Condition>
  static bool eventually(Condition condition, std::chrono::seconds patience = 60s) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return condition();
  }
  bool in_sync(std::size_t i) const {
    const auto members = record.read()->record.in_sync;
    return std::find(members.begin(), members.end(), id_of(i)) != members.end();
  }
  bool all_in_sync() const { return in_sync(0) && in_sync(1) && in_sync(2); }
  /// All that run hold the same log, applied.
  bool settled() {
    std::optional<CopyStatus> first;
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      const auto one = copy(i);
      if (one == nullptr) continue;
      const auto status = one->status();
      if (status.applied != status.tail || status.durable.seq != status.tail) return false;
      if (first && first->durable != status.durable) return false;
      first = status;
    }
    return true;
  }

  using Model = std::map<std::uint64_t, double>;
  /// What a copy stores.
  Model content(std::size_t i) {
    Model out;
    const auto shard = copy(i)->shard();
    REQUIRE(shard != nullptr);
    storage::ScrollQuery query;
    query.limit = 100'000;
    const auto points = shard->scroll(CallContext{}, query);
    INFO(error_of(points));
    REQUIRE(points.ok());
    for (const auto& point : *points) {
      out[point.id.to_json().get<std::uint64_t>()] = point.payload.at("x").get<double>();
    }
    return out;
  }

  std::filesystem::path directory(std::size_t i) const {
    return dir_.path() / std::to_string(i) / line_spec().id / ("0." + id_of(i).text);
  }
  CopyDisk::Place place(std::size_t i) {
    return {*sites_[i].store, line_spec(), ShardId{0}, sites_[i].id,
            [this, i](std::unique_ptr<storage::Shard> shard) {
              return sites_[i].wrap ? sites_[i].wrap(std::move(shard)) : std::move(shard);
            }};
  }

 protected:
  /// How copies reach each other.
  virtual Outbox& outbox(std::size_t /*i*/) { return network; }
  virtual void started(std::size_t /*i*/, const std::shared_ptr<ReplicatedCopy>& /*copy*/) {}
  virtual void stopping(std::size_t /*i*/) {}
  void end() {
    network.close();
    for (std::size_t i = 0; i < sites_.size(); ++i) stop(i);
  }
  const TempDir& dir() const { return dir_; }

 private:
  static ShardState first_record(const WorldOptions& options) {
    ShardState state;
    state.primary = id_of(0);
    for (std::size_t i = 0; i < 3; ++i) {
      const bool active = i < options.in_sync;
      if (active) state.in_sync.push_back(id_of(i));
      state.copies[id_of(i)] = {NodeId{"node" + std::to_string(i)},
                                active ? CopyState::Active : CopyState::New};
    }
    return state;
  }

  TempDir dir_;
  ManualClock clock_;
  const WorldOptions options_;
  const SafetyRules rules_;
  WorkPool pool_{4};
  std::array<Site, 3> sites_;

 public:
  TestRecord record;

 private:
  TestKeeper keeper_;

 public:
  TestNetwork network;

 private:
  Ticker ticker_{10ms};
};

}  // namespace quiver::cluster::replication::test
