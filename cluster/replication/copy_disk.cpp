#include "cluster/replication/copy_disk.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "cluster/replication/log_terms.h"

namespace quiver::cluster::replication {
namespace {

/// Entries that are applied before it is looked whether others are to be written.
constexpr std::uint64_t kAppliedAtOnce = 128;
/// Bytes of unapplied entries that are read at once when a copy is opened.
constexpr std::size_t kBytesPerRead = std::size_t{4} << 20;

std::vector<storage::ReplicaState::Reign> reigns_of(const History& history) {
  std::vector<storage::ReplicaState::Reign> out;
  for (const auto& reign : history.reigns()) out.push_back({reign.term, reign.first});
  return out;
}

}  // namespace

Status CopyDisk::make(const Place& place, Revision born) {
  QV_TRY(const auto shard, place.store.create(place.spec, place.shard, place.copy));
  const auto there = shard->replica();
  if (there.ok()) return Done{};
  if (there.error().code != ErrorCode::NotFound) return there.error();
  QV_TRY(const auto history, history_of_lone_copy(*shard));
  return shard->store_replica(
      {history.last().term, static_cast<std::uint64_t>(born), reigns_of(history)});
}

Result<std::unique_ptr<CopyDisk>> CopyDisk::open(const Place& place, WorkPool& pool) {
  std::unique_ptr<CopyDisk> disk(new CopyDisk(place, pool));
  QV_TRY(auto shard, place.store.open(place.spec, place.shard, place.copy));
  QV_CHECK(disk->adopt(std::move(shard)));
  QV_CHECK(disk->load());
  return disk;
}

CopyDisk::~CopyDisk() {
  close();
}

void CopyDisk::close() {
  strand_.close();
  std::deque<Job> dropped;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    dropped.swap(queue_);
  }
  end_shard();
}

Status CopyDisk::adopt(std::unique_ptr<storage::Shard> shard) {
  if (place_.wrap) shard = place_.wrap(std::move(shard));
  open_ = shard.get();
  log_first_ = open_->log_first();
  ending_ = std::make_shared<Ending>();
  std::shared_ptr<storage::Shard> shared(shard.release(),
                                         [ending = ending_](storage::Shard* closed) {
                                           delete closed;
                                           ending->end();
                                         });
  const MutexLock lock(mutex_);
  shard_ = std::move(shared);
  return Done{};
}

void CopyDisk::end_shard() {
  if (ending_ == nullptr) return;
  std::shared_ptr<storage::Shard> mine;
  {
    const MutexLock lock(mutex_);
    mine.swap(shard_);
  }
  mine.reset();
  open_ = nullptr;
  ending_->await();
}

Status CopyDisk::load() {
  auto stored = open_->replica();
  if (!stored.ok() && stored.error().code == ErrorCode::NotFound) {
    return Error{ErrorCode::Corruption,
                 "shard " + std::to_string(raw(place_.shard)) + " of collection \"" +
                     place_.spec.name +
                     "\" is one of several copies, but its file REPLICA is "
                     "missing: it cannot take part any more. Remove the copy, so that it is "
                     "filled again from another"};
  }
  if (!stored.ok()) return stored.error();
  seen_ = stored->seen;
  born_ = stored->born;
  QV_TRY(history_, history_of(*open_, *stored));
  terms_changed_ = reigns_of(history_) != stored->reigns;
  seen_ = std::max(seen_, history_.last().term);
  terms_changed_ = terms_changed_ || seen_ != stored->seen;
  if (terms_changed_) QV_CHECK(store_terms());

  persisted_.seen = seen_;
  persisted_.history = history_;
  persisted_.first = log_first_;
  persisted_.applied = open_->applied();
  persisted_.born = Revision{born_};
  for (Seq from = next(persisted_.applied); from <= history_.tail();) {
    QV_TRY(const auto entries, open_->read_encoded(from, kBytesPerRead));
    for (const auto& entry : entries) persisted_.unapplied.push_back(entry.request_id);
    from = next(entries.back().seq);
  }
  const MutexLock lock(mutex_);
  apply_through_ = persisted_.applied;
  return Done{};
}

void CopyDisk::persist_term(Term term, Ticket ticket) {
  post({Persist{term}, ticket});
}

void CopyDisk::append(std::vector<SharedEntry> entries, Ticket ticket) {
  post({Append{std::move(entries)}, ticket});
}

void CopyDisk::truncate_after(Seq last, Ticket ticket) {
  post({Truncate{last}, ticket});
}

void CopyDisk::install(std::filesystem::path received, History history, Ticket ticket) {
  post({Install{std::move(received), std::move(history)}, ticket});
}

void CopyDisk::run(Work work) {
  post({Call{std::move(work)}, Ticket{0}});
}

void CopyDisk::apply_through(Seq seq) {
  const MutexLock lock(mutex_);
  apply_through_ = std::max(apply_through_, seq);
  schedule();
}

void CopyDisk::post(Job job) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  queue_.push_back(std::move(job));
  schedule();
}

void CopyDisk::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  strand_.post([this] { work(); });
}

std::shared_ptr<storage::Shard> CopyDisk::shard() const {
  const MutexLock lock(mutex_);
  return shard_;
}

void CopyDisk::work() {
  std::deque<Job> jobs;
  Seq target{0};
  {
    const MutexLock lock(mutex_);
    jobs.swap(queue_);
    target = apply_through_;
  }
  bool more = false;
  if (!failed_) {
    try {
      auto done = carry_out(jobs);
      auto applied = done.ok() ? apply_some(target) : Result<bool>(std::move(done).error());
      if (applied.ok()) {
        more = *applied;
      } else {
        fail(applied.error());
      }
    } catch (const std::exception& problem) {
      fail({ErrorCode::Internal, std::string("a write went wrong half-way: ") + problem.what()});
    }
  }
  const MutexLock lock(mutex_);
  scheduled_ = false;
  // What was told meanwhile found it scheduled.
  more = more || (apply_through_ > target && !failed_);
  if (more || !queue_.empty()) schedule();
}

void CopyDisk::fail(const Error& why) {
  failed_ = true;
  events_->failed(why);
}

Status CopyDisk::carry_out(std::deque<Job>& jobs) {
  while (!jobs.empty()) {
    QV_CHECK(write_group(jobs));
    if (jobs.empty()) break;
    const Job job = std::move(jobs.front());
    jobs.pop_front();
    if (const auto* call = std::get_if<Call>(&job.what)) {
      call->work(*open_, history_);
      continue;
    }
    const auto* truncate = std::get_if<Truncate>(&job.what);
    QV_CHECK(truncate != nullptr ? carry_out(*truncate) : carry_out(std::get<Install>(job.what)));
    events_->synced(job.ticket);
  }
  return Done{};
}

Status CopyDisk::write_group(std::deque<Job>& jobs) {
  std::vector<const storage::EncodedEntry*> entries;
  auto end = jobs.begin();
  for (; end != jobs.end(); ++end) {
    if (const auto* persist = std::get_if<Persist>(&end->what)) {
      terms_changed_ = terms_changed_ || persist->term > seen_;
      seen_ = std::max(seen_, persist->term);
    } else if (const auto* append = std::get_if<Append>(&end->what)) {
      for (const auto& entry : append->entries) entries.push_back(entry.get());
    } else {
      break;
    }
  }
  if (end == jobs.begin()) return Done{};
  const auto reigns = history_.reigns().size();
  // The terms first: entries of a term that is not on disk would be those of an unknown primary.
  for (const auto* entry : entries) history_.append(entry->term);
  terms_changed_ = terms_changed_ || history_.reigns().size() != reigns;
  if (terms_changed_) QV_CHECK(store_terms());
  QV_CHECK(open_->append_encoded(entries));
  const Ticket through = std::prev(end)->ticket;
  jobs.erase(jobs.begin(), end);
  events_->synced(through);
  return Done{};
}

Status CopyDisk::carry_out(const Truncate& job) {
  QV_CHECK(open_->truncate_after(job.last));
  const auto reigns = history_.reigns().size();
  history_.truncate_after(job.last);
  if (history_.reigns().size() == reigns) return Done{};
  return store_terms();
}

Status CopyDisk::carry_out(const Install& job) {
  QV_CHECK(storage::write_replica_file(job.received, {seen_, born_, reigns_of(job.history)}));
  end_shard();
  QV_CHECK(place_.store.replace(place_.spec, place_.shard, place_.copy));
  QV_TRY(auto shard, place_.store.open(place_.spec, place_.shard, place_.copy));
  // The copy that made it may have logged more than was committed.
  const LogPosition end = job.history.last();
  if (shard->applied() < end.seq) {
    const auto applied = shard->apply_through(end.seq);
    if (!applied.ok()) return applied.error();
  }
  QV_CHECK(shard->truncate_after(end.seq));
  if (shard->tail() != end) {
    return Error{ErrorCode::Corruption,
                 "a snapshot ends with entry " + std::to_string(raw(shard->tail().seq)) +
                     " of term " + std::to_string(raw(shard->tail().term)) + ", not with entry " +
                     std::to_string(raw(end.seq)) + " of term " + std::to_string(raw(end.term))};
  }
  history_ = job.history;
  terms_changed_ = false;
  QV_CHECK(adopt(std::move(shard)));
  events_->applied(end.seq, {});
  return Done{};
}

Status CopyDisk::store_terms() {
  QV_CHECK(open_->store_replica({seen_, born_, reigns_of(history_)}));
  terms_changed_ = false;
  return Done{};
}

Result<bool> CopyDisk::apply_some(Seq target) {
  const Seq before = open_->applied();
  if (target <= before) return false;
  const Seq through = std::min(target, Seq{raw(before) + kAppliedAtOnce});
  QV_TRY(const auto results, open_->apply_through(through));
  events_->applied(through, results);
  if (const Seq first = open_->log_first(); first != log_first_) {
    log_first_ = first;
    events_->trimmed(first);
  }
  return through < target;
}

}  // namespace quiver::cluster::replication
