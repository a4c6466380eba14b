// What a CoordinationStore promises. The same sections run against every kind of store.

#include "tests/cluster/coordination_suite.h"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "tests/cluster/etcd_cluster.h"

namespace quiver::cluster {
namespace {

using Known = std::map<std::string, std::string>;

Revision put(CoordinationStore& store, const std::string& key, const std::string& value) {
  const auto done = store.txn({}, {}, {{key, value}});
  REQUIRE(done.ok());
  REQUIRE(*done == TxnOutcome::Done);
  return done->revision;
}

std::optional<std::string> value_of(CoordinationStore& store, const std::string& key) {
  const auto entry = store.get({}, key);
  REQUIRE(entry.ok());
  if (!entry->has_value()) return std::nullopt;
  return (*entry)->value;
}

Known all(CoordinationStore& store, const std::string& prefix) {
  const auto listing = store.list({}, prefix);
  REQUIRE(listing.ok());
  Known out;
  for (const auto& entry : listing->entries) out[entry.key] = entry.value;
  return out;
}

Revision now(CoordinationStore& store) {
  const auto listing = store.list({}, fresh_prefix());
  REQUIRE(listing.ok());
  return listing->revision;
}

/// Adds one to a decimal counter, `times` times, by compare-and-swap.
void count_up(CoordinationStore& store, const std::string& key, int times) {
  for (int done = 0; done < times;) {
    const auto entry = store.get({}, key);
    if (!entry.ok() || !entry->has_value()) return;
    const auto next = std::to_string(std::stoi((*entry)->value) + 1);
    const auto swapped = store.txn({}, {{key, (*entry)->revision}}, {{key, next}});
    if (!swapped.ok() || *swapped == TxnOutcome::Unknown) return;
    if (*swapped == TxnOutcome::Done) ++done;
  }
}

}  // namespace

TxnOutcome outcome(const Result<TxnResult>& result) {
  if (!result.ok()) FAIL(result.error().message);
  if (result->outcome == TxnOutcome::Unknown) UNSCOPED_INFO(result->why.message);
  return result->outcome;
}

std::string fresh_prefix() {
  static std::atomic<int> used{0};
  return "t" + std::to_string(::getpid()) + '-' + std::to_string(++used) + '/';
}

Observer::Observer(CoordinationStore& store, const std::string& prefix, Revision after) {
  auto watch = store.watch(prefix, after, [this](const WatchBatch& batch) { take(batch); });
  REQUIRE(watch.ok());
  watch_ = std::move(*watch);
}

Observer::~Observer() {
  watch_.reset();
}

void Observer::take(const WatchBatch& batch) {
  const MutexLock lock(mutex_);
  if (batch.relisted) known_.clear();
  for (const auto& change : batch.changes) {
    if (change.value) {
      known_[change.key] = *change.value;
    } else {
      known_.erase(change.key);
    }
  }
  batches_.push_back(batch);
  changed_.notify_all();
}

bool Observer::knows(const Known& expected) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const MutexLock lock(mutex_);
  while (known_ != expected) {
    if (std::chrono::steady_clock::now() > until) return false;
    changed_.wait_until(mutex_, until);
  }
  return true;
}

std::vector<WatchBatch> Observer::batches() {
  const MutexLock lock(mutex_);
  return batches_;
}

Known Observer::known() {
  const MutexLock lock(mutex_);
  return known_;
}

std::size_t Observer::relists() {
  const MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& batch : batches_) count += batch.relisted ? 1 : 0;
  return count;
}

void keys_suite(CoordinationStore& store, CoordinationStore& other) {
  const std::string p = fresh_prefix();
  const std::string a = p + 'a';
  const std::string b = p + 'b';

  SECTION("a key is made once") {
    CHECK(outcome(store.txn({}, {{a, Revision{0}}}, {{a, "1"}})) == TxnOutcome::Done);
    CHECK(outcome(other.txn({}, {{a, Revision{0}}}, {{a, "2"}})) == TxnOutcome::Conflict);
    CHECK(value_of(store, a) == "1");
  }
  SECTION("a change needs the revision that was read, and Done tells the next one") {
    const Revision first = put(store, a, "1");
    CHECK((*other.get({}, a))->revision == first);
    const auto second = other.txn({}, {{a, first}}, {{a, "2"}});
    REQUIRE(*second == TxnOutcome::Done);
    CHECK(second->revision > first);
    CHECK(outcome(store.txn({}, {{a, first}}, {{a, "3"}})) == TxnOutcome::Conflict);
    CHECK(outcome(store.txn({}, {{a, second->revision}}, {{a, "4"}})) == TxnOutcome::Done);
    CHECK(value_of(store, a) == "4");
  }
  SECTION("a refused transaction writes none of its keys") {
    put(store, a, "1");
    CHECK(outcome(store.txn({}, {{b, Revision{0}}, {a, Revision{0}}}, {{b, "x"}, {a, "x"}})) ==
          TxnOutcome::Conflict);
    CHECK(all(store, p) == Known{{a, "1"}});
  }
  SECTION("a transaction writes all its keys at one revision") {
    const auto done = store.txn({}, {}, {{a, "1"}, {b, "2"}});
    REQUIRE(*done == TxnOutcome::Done);
    CHECK((*store.get({}, a))->revision == done->revision);
    CHECK((*store.get({}, b))->revision == done->revision);
  }
  SECTION("compares without puts only look") {
    const Revision first = put(store, a, "1");
    CHECK(outcome(store.txn({}, {{a, first}, {b, Revision{0}}}, {})) == TxnOutcome::Done);
    CHECK(outcome(store.txn({}, {{a, Revision{0}}}, {})) == TxnOutcome::Conflict);
  }
  SECTION("a removed key does not exist, as if it never had") {
    const Revision first = put(store, a, "1");
    CHECK(outcome(store.txn({}, {}, {{a, std::nullopt}})) == TxnOutcome::Done);
    CHECK(value_of(store, a) == std::nullopt);
    CHECK(outcome(store.txn({}, {{a, first}}, {{a, "2"}})) == TxnOutcome::Conflict);
    CHECK(outcome(store.txn({}, {{a, Revision{0}}}, {{a, "3"}})) == TxnOutcome::Done);
    CHECK(outcome(store.txn({}, {}, {{p + "never", std::nullopt}})) == TxnOutcome::Done);
  }
  SECTION("lists a prefix in order, over as many pages as it takes, and nothing beside it") {
    Known expected;
    for (int i = 0; i < 25; ++i) {
      const std::string key = p + "n/" + std::to_string(100 + i);
      expected[key] = std::to_string(i);
      put(i % 2 == 0 ? store : other, key, expected[key]);
    }
    put(store, p + "n", "before");
    put(store, p + "n0", "after");  // '0' follows '/'
    const auto listing = store.list({}, p + "n/");
    REQUIRE(listing.ok());
    REQUIRE(listing->entries.size() == expected.size());
    auto want = expected.begin();
    for (const auto& entry : listing->entries) {
      CHECK(entry.key == want->first);
      CHECK(entry.value == (want++)->second);
      CHECK(entry.revision <= listing->revision);
    }
    CHECK(store.list({}, p + "nothing")->entries.empty());
  }
  SECTION("keys and values are bytes") {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
    const std::string odd = p + bytes;
    const std::string last = p + "\xFF\xFF";
    CHECK(outcome(store.txn({}, {}, {{odd, bytes}, {last, ""}})) == TxnOutcome::Done);
    CHECK(value_of(other, odd) == bytes);
    CHECK(value_of(other, last) == "");
    CHECK(all(store, p + "\xFF") == Known{{last, ""}});
    CHECK(all(store, p).size() == 2);
  }
  SECTION("of those who change a key at the same time none is lost") {
    put(store, a, "0");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] { count_up(i % 2 == 0 ? store : other, a, 20); });
    }
    for (auto& thread : threads) thread.join();
    CHECK(value_of(store, a) == "80");
  }
  SECTION("a call that is out of time or cancelled does nothing") {
    CallContext late;
    late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    CallContext cancelled;
    cancelled.cancel = CancelToken::make();
    cancelled.cancel.cancel();
    for (const auto& call : {late, cancelled}) {
      CHECK(store.txn(call, {}, {{a, "1"}}).error().code == ErrorCode::DeadlineExceeded);
      CHECK(store.get(call, a).error().code == ErrorCode::DeadlineExceeded);
      CHECK(store.list(call, p).error().code == ErrorCode::DeadlineExceeded);
      CHECK(store.grant(call, kLeaseTtlMin, {}).error().code == ErrorCode::DeadlineExceeded);
    }
    CHECK(value_of(store, a) == std::nullopt);
  }
}

void bounds_suite(CoordinationStore& store) {
  const std::string p = fresh_prefix();
  const auto refused = [&](const std::vector<Compare>& compares, const std::vector<Put>& puts,
                           const std::string& word) {
    const auto outcome = store.txn({}, compares, puts);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(outcome.error().message, Catch::Contains(word));
    CHECK(all(store, p).empty());
  };

  SECTION("as many operations as there may be, and one more") {
    std::vector<Put> puts;
    std::vector<Compare> compares;
    for (std::size_t i = 0; i < kTxnOpsMax; ++i) {
      puts.push_back({p + std::to_string(i), "x"});
      compares.push_back({p + std::to_string(i), Revision{0}});
    }
    auto one_more = puts;
    one_more.push_back({p + "more", "x"});
    refused({}, one_more, "at most 128 puts, got 129");
    auto more_compares = compares;
    more_compares.push_back({p + "more", Revision{0}});
    refused(more_compares, {}, "at most 128 compares, got 129");
    CHECK(outcome(store.txn({}, compares, puts)) == TxnOutcome::Done);
    CHECK(all(store, p).size() == kTxnOpsMax);
  }
  SECTION("a key may be put once") {
    refused({}, {{p + "a", "1"}, {p + "a", "2"}}, "twice");
    refused({}, {{p + "a", "1"}, {p + "a", std::nullopt}}, "twice");
  }
  SECTION("as many bytes as there may be, and one more") {
    const std::string key = p + 'a';
    const std::string most(kTxnBytesMax - key.size(), 'x');
    refused({}, {{key, most + 'x'}}, "1400000 bytes, got 1400001");
    CHECK(outcome(store.txn({}, {}, {{key, most}})) == TxnOutcome::Done);
    CHECK(value_of(store, key) == most);
  }
  SECTION("keys that cannot be") {
    refused({}, {{"", "1"}}, "must not be empty");
    refused({{"", Revision{0}}}, {}, "must not be empty");
    refused({}, {{p + std::string(kKeyBytesMax, 'k'), "1"}}, "at most 1024 bytes");
    CHECK(store.get({}, "").error().code == ErrorCode::InvalidArgument);
  }
  SECTION("a removal with a lease") {
    refused({}, {{p + "a", std::nullopt, LeaseId{1}}}, "cannot have a lease");
  }
  SECTION("times to live that cannot be") {
    for (const auto ttl : {std::chrono::seconds(0), std::chrono::seconds(3601)}) {
      CHECK(store.grant({}, ttl, {}).error().code == ErrorCode::InvalidArgument);
    }
  }
}

void lease_suite(CoordinationStore& store, CoordinationStore& other) {
  const std::string p = fresh_prefix();
  const std::string a = p + 'a';
  std::atomic<int> lost{0};
  auto granted = store.grant({}, std::chrono::seconds(2), [&lost] { ++lost; });
  REQUIRE(granted.ok());
  auto lease = std::move(*granted);

  SECTION("its keys go when it is revoked, and only they") {
    CHECK(lease->valid_until() > std::chrono::steady_clock::now());
    REQUIRE(outcome(store.txn({}, {}, {{a, "1", lease->id()}, {p + "b", "2"}})) ==
            TxnOutcome::Done);
    CHECK((*other.get({}, a))->lease == lease->id());
    CHECK((*other.get({}, p + "b"))->lease == LeaseId{0});
    CHECK(store.list({}, p)->entries.front().lease == lease->id());
    Observer observer(other, p, now(other));
    REQUIRE(lease->revoke({}).ok());
    CHECK(lease->valid_until() <= std::chrono::steady_clock::now());
    CHECK(all(other, p) == Known{{p + "b", "2"}});
    CHECK(eventually([&] { return observer.batches().size() == 1; }));
    CHECK(observer.batches().front().changes.front().key == a);
    CHECK_FALSE(observer.batches().front().changes.front().value.has_value());
    CHECK(lease->revoke({}).ok());
  }
  SECTION("its keys go some time after its handle") {
    REQUIRE(outcome(store.txn({}, {}, {{a, "1", lease->id()}})) == TxnOutcome::Done);
    lease.reset();
    CHECK(eventually([&] { return !value_of(other, a).has_value(); }));
  }
  SECTION("a put without a lease makes its key permanent") {
    REQUIRE(outcome(store.txn({}, {}, {{a, "1", lease->id()}})) == TxnOutcome::Done);
    REQUIRE(outcome(store.txn({}, {}, {{a, "2"}})) == TxnOutcome::Done);
    CHECK((*other.get({}, a))->lease == LeaseId{0});
    REQUIRE(lease->revoke({}).ok());
    CHECK(value_of(other, a) == "2");
  }
  SECTION("a lease takes over the key of another") {
    auto second = store.grant({}, std::chrono::seconds(2), {});
    REQUIRE(second.ok());
    CHECK((*second)->id() != lease->id());
    REQUIRE(outcome(store.txn({}, {}, {{a, "1", lease->id()}})) == TxnOutcome::Done);
    REQUIRE(outcome(store.txn({}, {}, {{a, "2", (*second)->id()}})) == TxnOutcome::Done);
    REQUIRE(lease->revoke({}).ok());
    CHECK(value_of(other, a) == "2");
    REQUIRE((*second)->revoke({}).ok());
    CHECK(value_of(other, a) == std::nullopt);
  }
  SECTION("a lease that has ended holds nothing") {
    const LeaseId id = lease->id();
    REQUIRE(lease->revoke({}).ok());
    const auto refused = store.txn({}, {}, {{p + "b", "1"}, {a, "1", id}});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::FailedPrecondition);
    CHECK(all(store, p).empty());
  }
  lease.reset();
  CHECK(lost == 0);
}

void watch_suite(CoordinationStore& store, CoordinationStore& other) {
  const std::string p = fresh_prefix();
  const std::string a = p + 'a';

  SECTION("tells what changes after a revision, in order, and nothing else") {
    put(store, a, "before");
    Observer observer(other, p, now(store));
    put(store, fresh_prefix() + "elsewhere", "1");
    const Revision second = put(store, a, "1");
    put(store, p + 'b', "2");
    REQUIRE(outcome(store.txn({}, {}, {{a, std::nullopt}})) == TxnOutcome::Done);
    put(store, p + "end", "");
    REQUIRE(observer.knows({{p + 'b', "2"}, {p + "end", ""}}));
    std::vector<Change> seen;
    for (const auto& batch : observer.batches()) {
      CHECK_FALSE(batch.relisted);
      seen.insert(seen.end(), batch.changes.begin(), batch.changes.end());
    }
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].key == a);
    CHECK(seen[0].value == "1");
    CHECK(seen[0].revision == second);
    CHECK(seen[1].key == p + 'b');
    CHECK(seen[2].key == a);
    CHECK_FALSE(seen[2].value.has_value());
    CHECK(seen[2].revision > seen[1].revision);
  }
  SECTION("what happened between the listing and the watch is not lost") {
    const Revision listed = now(store);
    put(store, a, "1");
    put(store, a, "2");
    Observer observer(other, p, listed);
    CHECK(observer.knows({{a, "2"}}));
    put(store, a, "3");
    CHECK(observer.knows({{a, "3"}}));
  }
  SECTION("many keys of one transaction come together") {
    Observer observer(other, p, now(store));
    std::vector<Put> puts;
    Known expected;
    for (std::size_t i = 0; i < kTxnOpsMax; ++i) {
      puts.push_back({p + std::to_string(i), std::string(1000, 'v')});
      expected[puts.back().key] = *puts.back().value;
    }
    REQUIRE(outcome(store.txn({}, {}, puts)) == TxnOutcome::Done);
    REQUIRE(observer.knows(expected));
    CHECK(observer.batches().size() == 1);
  }
  SECTION("an empty prefix watches all") {
    Observer observer(other, "", now(store));
    put(store, a, "1");
    CHECK(eventually([&] { return observer.known().contains(a); }));
  }
  SECTION("ends with its handle") {
    Observer observer(other, p, now(store));
    put(store, a, "1");
    REQUIRE(observer.knows({{a, "1"}}));
    observer.stop();
    put(store, a, "2");
    // Another watch, which has heard of it, shows that there was time for the first.
    Observer second(other, p, now(store));
    put(store, a, "3");
    REQUIRE(second.knows({{a, "3"}}));
    CHECK(observer.known() == Known{{a, "1"}});
  }
  SECTION("several watches each hear all") {
    const Revision after = now(store);
    Observer first(store, p, after);
    Observer second(other, p, after);
    put(store, a, "1");
    CHECK(first.knows({{a, "1"}}));
    CHECK(second.knows({{a, "1"}}));
  }
  SECTION("a revision that the store has not reached is one of a store that was lost") {
    put(store, a, "1");
    Observer observer(other, p, Revision{static_cast<std::uint64_t>(now(store)) + 1'000'000});
    CHECK(observer.knows({{a, "1"}}));
    CHECK(observer.relists() == 1);
  }
}

}  // namespace quiver::cluster
