#include "cluster/replication/copy_audit.h"

#include <algorithm>
#include <set>
#include <utility>

#include "cluster/fan_out.h"
#include "cluster/pause.h"
#include "core/log.h"
#include "core/text.h"

namespace quiver::cluster::replication {
namespace {

using std::chrono::ceil;
using std::chrono::steady_clock;

// How often it looks which primaries there are.
constexpr std::chrono::seconds kLookEvery{1};
// Between two looks whether the copy is still wanted, while reading is held back.
constexpr std::chrono::milliseconds kPauseMax{50};
constexpr std::size_t kLogBytesAtOnce = std::size_t{4} << 20;
// Copies are asked side by side, so that little is written between their looks.
constexpr std::size_t kAskThreads = 8;

Error stopping() {
  return {ErrorCode::Unavailable, "the server is stopping; try again later"};
}

/// Part of an interval that is a shard's own, so that not all are compared at once.
std::chrono::milliseconds share_of(const storage::ShardPlace& place, std::chrono::seconds every) {
  constexpr std::uint64_t kParts = 1024;
  const auto part = static_cast<std::int64_t>(stable_hash(place.copy.text) % kParts);
  return std::chrono::milliseconds(every) * part / static_cast<std::int64_t>(kParts);
}

/// The buckets of all that was written behind `from` up to `to`.
Result<ContentBuckets> touched_between(const storage::Shard& shard, Seq from, Seq to) {
  ContentBuckets out;
  for (std::uint64_t next = raw(from) + 1; next <= raw(to);) {
    QV_TRY(const auto entries, shard.read_log(Seq{next}, kLogBytesAtOnce));
    if (entries.empty()) {
      return Error{ErrorCode::Unavailable, "a copy is ahead of its primary's log"};
    }
    for (const auto& entry : entries) {
      if (raw(entry.seq) > raw(to)) break;
      add_touched(entry.mutation, out);
    }
    next = raw(entries.back().seq) + 1;
  }
  return out;
}

}  // namespace

struct CopyAudit::Look {
  CopyId primary;
  ShardState record;
  /// Of each copy in sync, the primary's included.
  std::map<CopyId, ContentSums> sums;
  /// By all that was written between the first and the last of them.
  ContentBuckets touched;

  Differing differing() const {
    Differing out;
    for (const auto& [copy, held] : sums) {
      const auto compared = compare(sums.at(primary), held, touched);
      if (compared.differing.any()) out.emplace(copy, compared.differing);
    }
    return out;
  }
  /// Whether all but the primary hold the same, and are more than one.
  bool others_are_alike() const {
    const ContentSums* first = nullptr;
    std::size_t others = 0;
    for (const auto& [copy, held] : sums) {
      if (copy == primary) continue;
      ++others;
      if (first == nullptr) first = &held;
      if (compare(*first, held, touched).differing.any()) return false;
    }
    return others > 1;
  }
};

CopyAudit::CopyAudit(Parts parts, const Options& options)
    : parts_(std::move(parts)), options_(options) {}

CopyAudit::~CopyAudit() {
  stop();
}

void CopyAudit::start() {
  if (options_.every.count() == 0) return;
  const MutexLock lock(mutex_);
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { work(); });
}

void CopyAudit::stop() {
  cancel_.cancel();
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

AuditFigures CopyAudit::figures() const {
  return {comparisons_, undecided_, differing_, last_ms_};
}

Status CopyAudit::take_slot(const CallContext& call) {
  const auto watch = call.cancel.watch([this] { wake_.notify_all(); });
  const MutexLock lock(mutex_);
  while (summing_ && !stopping_) {
    QV_CHECK(call.check());
    auto until = steady_clock::now() + kLookEvery;
    if (call.deadline) until = std::min(until, *call.deadline);
    wake_.wait_until(mutex_, until);
  }
  if (stopping_) return stopping();
  summing_ = true;
  return Done{};
}

void CopyAudit::free_slot() {
  const MutexLock lock(mutex_);
  summing_ = false;
  wake_.notify_all();
}

Result<ContentSums> CopyAudit::sums(const CallContext& call, const storage::ShardPlace& place) {
  QV_CHECK(take_slot(call));
  try {
    auto summed = sums_in_slot(call, place);
    free_slot();
    return summed;
  } catch (...) {
    // Out of memory, at worst: others still get their turn.
    free_slot();
    throw;
  }
}

Result<ContentSums> CopyAudit::sums_in_slot(const CallContext& call,
                                            const storage::ShardPlace& place) {
  QV_TRY(const auto copy, parts_.find(place));
  const auto shard = copy->shard();
  const auto begun = steady_clock::now();
  std::uint64_t bytes = 0;
  const auto read = [&](std::size_t more) -> Status {
    bytes += more;
    const auto due = begun + std::chrono::milliseconds(bytes * 1000 / options_.bytes_per_second);
    while (true) {
      // Who closes the copy, or puts a snapshot in its place, waits for this.
      if (copy->shard() != shard) {
        return Error{ErrorCode::Unavailable, "the copy was closed or filled anew meanwhile"};
      }
      if (cancel_.cancelled()) return stopping();
      const auto ahead = ceil<std::chrono::milliseconds>(due - steady_clock::now());
      if (ahead.count() <= 0) return call.check();
      QV_CHECK(pause(call, std::min(ahead, kPauseMax)));
    }
  };
  if (shard == nullptr) return Error{ErrorCode::Unavailable, "the copy is being filled"};
  return shard->content_sums(call, read);
}

Result<ContentSums> CopyAudit::sums_of(const CallContext& call, const storage::ShardPlace& place,
                                       const ShardState& record, const CopyId& copy) {
  if (copy == place.copy) return sums(call, place);
  const auto at = record.copies.find(copy);
  if (at == record.copies.end()) return Error{ErrorCode::Internal, "no such copy"};
  QV_TRY(const auto peer, parts_.peer(at->second.node));
  thrift::ShardCall remote;
  remote.context = call;
  remote.caller = parts_.self.text;
  remote.term = record.term;
  remote.collection = place.collection;
  remote.shard = place.shard;
  remote.copy = copy;
  auto reply = peer->content_sums(remote);
  return std::move(reply.result);
}

Result<CopyAudit::Look> CopyAudit::look(const CallContext& call, const storage::ShardPlace& place) {
  Look out;
  {
    QV_TRY(const auto copy, parts_.find(place));
    const auto status = copy->status();
    if (!status.serving) return Error{ErrorCode::Unavailable, "the copy is not primary any more"};
    out.primary = place.copy;
    out.record = status.record;
  }
  const auto& copies = out.record.in_sync;
  std::vector<Result<ContentSums>> answers(
      copies.size(), Result<ContentSums>(Error{ErrorCode::Internal, "not asked"}));
  FanOut threads(kAskThreads);
  threads.run(copies.size(),
              [&](std::size_t i) { answers[i] = sums_of(call, place, out.record, copies[i]); });
  Seq first{~std::uint64_t{0}};
  Seq last{0};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    QV_TRY(auto held, std::move(answers[i]));
    first = std::min(first, held.applied.seq);
    last = std::max(last, held.applied.seq);
    out.sums.emplace(copies[i], std::move(held));
  }
  QV_TRY(const auto copy, parts_.find(place));
  const auto shard = copy->shard();
  if (shard == nullptr) return Error{ErrorCode::Unavailable, "the copy is being filled"};
  QV_TRY(out.touched, touched_between(*shard, first, last));
  return out;
}

bool CopyAudit::has_others(const storage::ShardPlace& place) const {
  const auto copy = parts_.find(place);
  return copy.ok() && (*copy)->status().record.in_sync.size() > 1;
}

CopyAudit::Outcome CopyAudit::audit(const CallContext& call, const storage::ShardPlace& place) {
  if (!has_others(place)) return Outcome::Equal;
  const auto first = look(call, place);
  if (!first.ok() || first->touched.all()) {
    ++undecided_;
    QV_LOG_INFO("copies_not_compared collection={} shard={} why=\"{}\"", place.collection,
                raw(place.shard),
                first.ok() ? "too much was written meanwhile" : first.error().message);
    return Outcome::Undecided;
  }
  comparisons_ += first->sums.size() - 1;
  last_ms_ = parts_.clock.wall_ms();
  const auto once = first->differing();
  if (once.empty()) return Outcome::Equal;
  // What was read is believed if it is read twice.
  const auto second = look(call, place);
  if (!second.ok()) {
    ++undecided_;
    return Outcome::Undecided;
  }
  Differing found;
  for (const auto& [copy, buckets] : second->differing()) {
    const auto before = once.find(copy);
    if (before == once.end() || (before->second & buckets).none()) continue;
    found.emplace(copy, before->second & buckets);
  }
  if (found.empty()) return Outcome::Undecided;
  report(call, place, found, *second);
  return Outcome::Differs;
}

void CopyAudit::report(const CallContext& call, const storage::ShardPlace& place,
                       const Differing& found, const Look& look) {
  const bool is_primary = found.size() + 1 == look.sums.size() && look.others_are_alike();
  const auto& odd = is_primary ? place.copy : found.begin()->first;
  const auto node = look.record.copies.find(odd);
  ++differing_;
  QV_LOG_ERROR(
      "copies_differ collection={} shard={} copy={} node={} points={} points_of_primary={} "
      "buckets={}",
      place.collection, raw(place.shard), odd.text,
      node == look.record.copies.end() ? "" : node->second.node.text, look.sums.at(odd).points,
      look.sums.at(place.copy).points, found.begin()->second.count());
  const auto copy = parts_.find(place);
  const auto in_time = call.check();
  if (!copy.ok() || !in_time.ok()) {
    QV_LOG_WARN("differing_copy_kept copy={} why=\"{}\" remedy=compared_again", odd.text,
                copy.ok() ? in_time.error().message : copy.error().message);
    return;
  }
  if (is_primary) {
    QV_LOG_WARN("differing_primary_hands_off copy={} to={}", odd.text, found.begin()->first.text);
    return (*copy)->hand_off(found.begin()->first);
  }
  QV_LOG_WARN("differing_copy_given_up copy={} remedy=made_anew", odd.text);
  (*copy)->drop(odd);
}

std::optional<storage::ShardPlace> CopyAudit::next() {
  while (true) {
    const auto primaries = parts_.primaries();
    const auto now = steady_clock::now();
    const MutexLock lock(mutex_);
    if (stopping_) return std::nullopt;
    std::erase_if(due_, [&](const auto& one) {
      return std::find(primaries.begin(), primaries.end(), one.first) == primaries.end();
    });
    for (const auto& place : primaries) {
      const auto due = due_.emplace(place, now + share_of(place, options_.every)).first;
      if (due->second <= now) return place;
    }
    wake_.wait_until(mutex_, now + kLookEvery);
  }
}

void CopyAudit::put_back(const storage::ShardPlace& place, Outcome outcome) {
  const auto pause =
      outcome == Outcome::Equal ? options_.every : std::min(options_.every, options_.again_after);
  const MutexLock lock(mutex_);
  due_[place] = steady_clock::now() + pause;
}

void CopyAudit::work() {
  while (const auto place = next()) {
    CallContext call;
    call.cancel = cancel_;
    call.deadline = steady_clock::now() + options_.patience;
    put_back(*place, audit(call, *place));
  }
}

}  // namespace quiver::cluster::replication
