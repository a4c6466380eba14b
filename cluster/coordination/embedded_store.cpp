#include "cluster/coordination/embedded_store.h"

#include <atomic>
#include <thread>
#include <utility>

#include "core/log.h"

namespace quiver::cluster {
namespace {

constexpr std::string_view kRevisionKey = "revision";
// Keeps the counter apart from the keys of callers.
constexpr std::string_view kEntryPrefix = "e/";
// Marks the keys that must not outlive the process.
constexpr std::string_view kLeasedPrefix = "l/";
constexpr std::size_t kRevisionBytes = 8;

std::string encode(std::uint64_t revision) {
  std::string out(kRevisionBytes, '\0');
  for (unsigned i = 0; i < kRevisionBytes; ++i) {
    out[i] = static_cast<char>(revision >> (56 - 8 * i));
  }
  return out;
}

Result<std::uint64_t> decode(std::string_view bytes) {
  if (bytes.size() < kRevisionBytes) {
    return Error{ErrorCode::Corruption, "the coordination store holds a malformed entry"};
  }
  std::uint64_t revision = 0;
  for (const char byte : bytes.substr(0, kRevisionBytes)) {
    revision = revision << 8U | static_cast<unsigned char>(byte);
  }
  return revision;
}

std::string stored_key(std::string_view key) {
  return std::string(kEntryPrefix).append(key);
}

std::string leased_key(std::string_view key) {
  return std::string(kLeasedPrefix).append(key);
}

Result<Entry> to_entry(std::string_view key, std::string_view stored) {
  QV_TRY(const auto revision, decode(stored));
  return Entry{std::string(key), std::string(stored.substr(kRevisionBytes)), Revision{revision},
               LeaseId{0}};
}

}  // namespace

/// Ends with its handle.
class EmbeddedStore::HeldLease final : public Lease {
 public:
  HeldLease(EmbeddedStore& store, LeaseId id, std::chrono::seconds ttl)
      : store_(store), id_(id), ttl_(ttl) {}
  ~HeldLease() override {
    if (!revoked_) static_cast<void>(store_.end_lease(id_));
  }

  LeaseId id() const override { return id_; }
  std::chrono::steady_clock::time_point valid_until() const override {
    return revoked_ ? revoked_at_.load() : std::chrono::steady_clock::now() + ttl_;
  }
  Status revoke(const CallContext& call) override {
    QV_CHECK(call.check());
    QV_CHECK(store_.end_lease(id_));
    if (!revoked_) revoked_at_ = std::chrono::steady_clock::now();
    revoked_ = true;
    return Done{};
  }

 private:
  EmbeddedStore& store_;
  const LeaseId id_;
  const std::chrono::seconds ttl_;
  std::atomic<std::chrono::steady_clock::time_point> revoked_at_{};
  std::atomic<bool> revoked_{false};
};

/// A thread that waits for the history to grow.
class EmbeddedStore::HeldWatch final : public Watch {
 public:
  HeldWatch(EmbeddedStore& store, std::string_view prefix, Revision after, WatchCallback callback)
      : store_(store), prefix_(prefix), callback_(std::move(callback)) {
    thread_ = std::thread([this, after] { run(after); });
  }
  ~HeldWatch() override {
    stopped_ = true;
    store_.history_.wake();
    thread_.join();
  }

 private:
  void run(Revision after) {
    WatchBatch batch;
    while (true) {
      const auto next = store_.history_.wait(prefix_, after, stopped_, batch.changes);
      if (next == ChangeHistory::Next::Stopped) return;
      batch.relisted = next == ChangeHistory::Next::Missed;
      if (batch.relisted && !relist(after, batch.changes)) return;
      batch.revision = after;
      callback_(batch);
    }
  }

  bool relist(Revision& after, std::vector<Change>& changes) {
    auto listing = store_.list({}, prefix_);
    if (!listing.ok()) {
      QV_LOG_ERROR("watch_ended prefix={} error=\"{}\"", prefix_, listing.error().message);
      return false;
    }
    for (auto& entry : listing->entries) {
      changes.push_back({std::move(entry.key), std::move(entry.value), entry.revision});
    }
    after = listing->revision;
    return true;
  }

  EmbeddedStore& store_;
  const std::string prefix_;
  const WatchCallback callback_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

EmbeddedStore::EmbeddedStore(std::unique_ptr<storage::KvStore> kv, std::uint64_t revision)
    : kv_(std::move(kv)), history_(Revision{revision}), revision_(revision) {}

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(const std::filesystem::path& directory) {
  QV_TRY(auto kv, storage::KvStore::open(directory));
  QV_TRY(const auto stored, kv->get(kRevisionKey));
  std::uint64_t revision = 0;
  if (stored) {
    QV_TRY(revision, decode(*stored));
  }
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore(std::move(kv), revision));
  QV_CHECK(store->remove_leftovers());
  return store;
}

Status EmbeddedStore::remove_leftovers() {
  QV_TRY(const auto leased, kv_->list(kLeasedPrefix));
  if (leased.empty()) return Done{};
  std::vector<Put> removals;
  removals.reserve(leased.size());
  for (const auto& [key, unused] : leased) {
    removals.push_back({key.substr(kLeasedPrefix.size()), std::nullopt});
  }
  const MutexLock lock(mutex_);
  QV_TRY(const auto removed, decided(apply(removals)));
  static_cast<void>(removed);  // Without compares there is no conflict.
  return Done{};
}

Result<std::optional<Entry>> EmbeddedStore::read(std::string_view key) {
  QV_TRY(const auto stored, kv_->get(stored_key(key)));
  if (!stored) return std::optional<Entry>{};
  QV_TRY(auto entry, to_entry(key, *stored));
  if (const auto leased = leased_keys_.find(key); leased != leased_keys_.end()) {
    entry.lease = leased->second;
  }
  return std::optional<Entry>(std::move(entry));
}

Result<std::optional<Entry>> EmbeddedStore::get(const CallContext& call, std::string_view key) {
  QV_CHECK(call.check());
  QV_CHECK(check_key(key));
  const MutexLock lock(mutex_);
  return read(key);
}

Result<Listing> EmbeddedStore::list(const CallContext& call, std::string_view prefix) {
  QV_CHECK(call.check());
  const MutexLock lock(mutex_);
  QV_TRY(const auto stored, kv_->list(stored_key(prefix)));
  Listing listing{{}, Revision{revision_}};
  listing.entries.reserve(stored.size());
  for (const auto& [key, value] : stored) {
    QV_TRY(auto entry, to_entry(std::string_view(key).substr(kEntryPrefix.size()), value));
    if (const auto leased = leased_keys_.find(entry.key); leased != leased_keys_.end()) {
      entry.lease = leased->second;
    }
    listing.entries.push_back(std::move(entry));
  }
  return listing;
}

Result<bool> EmbeddedStore::holds(const std::vector<Compare>& compares) {
  for (const auto& compare : compares) {
    QV_TRY(const auto entry, read(compare.key));
    const Revision current = entry ? entry->revision : Revision{0};
    if (current != compare.revision) return false;
  }
  return true;
}

Status EmbeddedStore::check_leases(const std::vector<Put>& puts) {
  for (const auto& put : puts) {
    if (put.lease == LeaseId{0} || leases_.contains(put.lease)) continue;
    return Error{ErrorCode::FailedPrecondition,
                 "the lease of \"" + put.key + "\" has ended or never existed: grant a new one"};
  }
  return Done{};
}

TxnResult EmbeddedStore::apply(const std::vector<Put>& puts) {
  if (puts.empty()) return {TxnOutcome::Done, Revision{revision_}};
  // Counted even if the write fails: what it may have left must not share its revision with a
  // later change.
  const Revision revision{++revision_};
  const std::string bytes = encode(revision_);
  std::vector<storage::KvStore::Write> writes{{std::string(kRevisionKey), bytes}};
  std::vector<Change> changes;
  for (const auto& put : puts) {
    auto& write = writes.emplace_back();
    write.key = stored_key(put.key);
    if (put.value) write.value = bytes + *put.value;
    auto& mark = writes.emplace_back();
    mark.key = leased_key(put.key);
    if (put.lease != LeaseId{0}) mark.value.emplace();
    changes.push_back({put.key, put.value, revision});
  }
  if (auto written = kv_->write(writes); !written.ok()) {
    history_.forget(revision);
    return {TxnOutcome::Unknown, Revision{0}, std::move(written).error()};
  }
  note_leases(puts);
  history_.append(std::move(changes), revision);
  return {TxnOutcome::Done, revision};
}

void EmbeddedStore::note_leases(const std::vector<Put>& puts) {
  for (const auto& put : puts) {
    if (put.lease != LeaseId{0}) {
      leased_keys_[put.key] = put.lease;
    } else {
      leased_keys_.erase(put.key);
    }
  }
}

Result<TxnResult> EmbeddedStore::txn(const CallContext& call, const std::vector<Compare>& compares,
                                     const std::vector<Put>& puts) {
  QV_CHECK(check_txn(compares, puts));
  QV_CHECK(call.check());
  const MutexLock lock(mutex_);
  QV_TRY(const bool hold, holds(compares));
  if (!hold) return TxnResult{TxnOutcome::Conflict, Revision{revision_}};
  QV_CHECK(check_leases(puts));
  return apply(puts);
}

Result<std::unique_ptr<Lease>> EmbeddedStore::grant(const CallContext& call,
                                                    std::chrono::seconds ttl, LeaseLost) {
  QV_CHECK(check_ttl(ttl));
  QV_CHECK(call.check());
  const MutexLock lock(mutex_);
  const LeaseId id{++leases_granted_};
  leases_.insert(id);
  return std::unique_ptr<Lease>(std::make_unique<HeldLease>(*this, id, ttl));
}

Status EmbeddedStore::end_lease(LeaseId lease) {
  const MutexLock lock(mutex_);
  std::vector<Put> removals;
  for (const auto& [key, holder] : leased_keys_) {
    if (holder == lease) removals.push_back({key, std::nullopt});
  }
  QV_TRY(const auto removed, decided(apply(removals)));
  static_cast<void>(removed);  // Without compares there is no conflict.
  leases_.erase(lease);
  return Done{};
}

Result<std::unique_ptr<Watch>> EmbeddedStore::watch(std::string_view prefix, Revision after,
                                                    WatchCallback callback) {
  return std::unique_ptr<Watch>(
      std::make_unique<HeldWatch>(*this, prefix, after, std::move(callback)));
}

}  // namespace quiver::cluster
