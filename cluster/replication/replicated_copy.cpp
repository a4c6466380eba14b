#include "cluster/replication/replicated_copy.h"

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace quiver::cluster::replication {
namespace {

constexpr std::size_t kNodesMax = 64;

Time now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

ReplicatedCopy::ReplicatedCopy(const CopyDisk::Place& place, const Parts& parts,
                               const Options& options, std::unique_ptr<CopyDisk> disk)
    : place_(place),
      parts_(parts),
      options_(options),
      disk_(std::move(disk)),
      fsm_(place.copy, disk_->persisted(), now(), options.rules, parts.rules),
      cache_(options.cache_bytes),
      applied_(disk_->persisted().applied),
      apply_asked_(applied_),
      touched_(disk_->persisted().history.tail()),
      reader_(parts.pool) {
  disk_->start(*this);
}

Result<std::shared_ptr<ReplicatedCopy>> ReplicatedCopy::open(const CopyDisk::Place& place,
                                                             const Parts& parts,
                                                             const Options& options) {
  QV_CHECK(options.rules.check());
  QV_TRY(auto disk, CopyDisk::open(place, parts.pool));
  return std::shared_ptr<ReplicatedCopy>(new ReplicatedCopy(place, parts, options, std::move(disk)),
                                         [ending = parts.ending](ReplicatedCopy* copy) {
                                           delete copy;
                                           if (ending != nullptr) ending->end();
                                         });
}

ReplicatedCopy::~ReplicatedCopy() {
  close();
}

void ReplicatedCopy::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    fail_waiting();
    end_snapshot(false);
  }
  disk_->close();
  reader_.close();
  send_out();
}

void ReplicatedCopy::handle(const Event& event) {
  {
    const MutexLock lock(mutex_);
    step(event);
  }
  send_out();
}

void ReplicatedCopy::step(const Event& event) {
  if (closed_) return;
  actions_.clear();
  const auto before = std::pair(fsm_.role(), fsm_.record().epoch);
  fsm_.step(now(), event, actions_);
  for (const Action& action : actions_) {
    std::visit([this](const auto& what) QV_REQUIRES(mutex_) { act(what); }, action);
  }
  cache_.durable(fsm_.log().durable());
  const bool changed = before != std::pair(fsm_.role(), fsm_.record().epoch);
  if (changed && parts_.changed) later(parts_.changed);
}

void ReplicatedCopy::later(std::function<void()> work) {
  out_.push_back(std::move(work));
}

void ReplicatedCopy::send_out() {
  for (;;) {
    std::function<void()> work;
    {
      const MutexLock lock(mutex_);
      // Another thread does it, in order.
      if (sending_ || out_.empty()) return;
      sending_ = true;
      work = std::move(out_.front());
      out_.pop_front();
    }
    work();
    const MutexLock lock(mutex_);
    sending_ = false;
  }
}

void ReplicatedCopy::tick() {
  {
    const MutexLock lock(mutex_);
    if (!fsm_.knows_record() && now() - record_asked_ >= options_.record_retry) read_record();
    step(Tick{});
    if (const auto shard = disk_->shard()) shard->keep_log_from(fsm_.needed_from());
  }
  send_out();
}

void ReplicatedCopy::record_seen(const RecordSeen& record) {
  {
    const MutexLock lock(mutex_);
    revision_ = std::max(revision_, record.revision);
    step(record);
  }
  send_out();
}

void ReplicatedCopy::hand_off(const CopyId& target) {
  handle(HandOffAsked{target});
}

void ReplicatedCopy::drop(const CopyId& copy) {
  handle(DropAsked{copy});
}

CopyStatus ReplicatedCopy::status() const {
  const MutexLock lock(mutex_);
  const LogView& log = fsm_.log();
  CopyStatus status;
  status.role = fsm_.role();
  status.seen = fsm_.seen();
  status.serving = !closed_ && fsm_.serving(now());
  status.hears = !closed_ && fsm_.hears(now());
  status.durable = log.history().at(std::min(log.durable(), log.tail()));
  status.tail = log.tail();
  status.commit = fsm_.commit();
  status.applied = applied_;
  status.log_first = log.first();
  status.record = fsm_.record();
  status.revision = revision_;
  return status;
}

NodeId ReplicatedCopy::node_of(const CopyId& copy) const {
  const auto& copies = fsm_.record().copies;
  if (const auto place = copies.find(copy); place != copies.end()) return place->second.node;
  const auto seen = nodes_.find(copy);
  return seen == nodes_.end() ? NodeId{} : seen->second;
}

Parcel ReplicatedCopy::parcel_to(const CopyId& copy, Message message) const {
  return {place_.spec.id, place_.shard, place_.copy, copy, node_of(copy), std::move(message), {}};
}

// -- what arrives

Result<std::vector<SharedEntry>> ReplicatedCopy::check_entries(const ArrivedParcel& parcel) const {
  std::vector<SharedEntry> entries;
  const auto* append = std::get_if<Append>(&parcel.message);
  const std::uint64_t wanted = append == nullptr || append->through < append->prev.seq
                                   ? 0
                                   : raw(append->through) - raw(append->prev.seq);
  if (parcel.entries.size() != wanted) {
    return Error{ErrorCode::InvalidArgument,
                 "entries: the message speaks of " + std::to_string(wanted) + ", " +
                     std::to_string(parcel.entries.size()) + " came with it"};
  }
  if (wanted == 0) return entries;
  const auto shard = disk_->shard();
  if (shard == nullptr) {
    return Error{ErrorCode::FailedPrecondition, "a snapshot takes the place of the copy"};
  }
  Seq seq = append->prev.seq;
  for (const auto& bytes : parcel.entries) {
    seq = next(seq);
    if (bytes.size() > options_.entry_bytes_max) {
      return Error{ErrorCode::InvalidArgument, "entries: one has " + std::to_string(bytes.size()) +
                                                   " bytes, at most " +
                                                   std::to_string(options_.entry_bytes_max)};
    }
    QV_TRY(const auto decoded, storage::decode_log_entry(seq, bytes));
    QV_CHECK(shard->check_append(decoded.mutation));
    entries.push_back(std::make_shared<const storage::EncodedEntry>(
        storage::EncodedEntry{decoded.term, seq, decoded.request_id, bytes}));
  }
  return entries;
}

Status ReplicatedCopy::check_sender(const CopyId& copy, const NodeId& node) {
  if (node.empty()) return Done{};
  const auto& copies = fsm_.record().copies;
  if (const auto place = copies.find(copy); place != copies.end() && place->second.node != node) {
    return Error{ErrorCode::PermissionDenied,
                 "copy " + copy.text + " is not on server " + node.text + ", which speaks for it"};
  }
  // Of those that the record does not name a few are enough to answer.
  if (nodes_.size() >= kNodesMax) nodes_.clear();
  nodes_[copy] = node;
  return Done{};
}

Status ReplicatedCopy::receive(ArrivedParcel parcel) {
  QV_TRY(const auto entries, check_entries(parcel));
  Received received{parcel.from, std::move(parcel.message), {}};
  for (const auto& entry : entries) received.heads.push_back({entry->term, entry->request_id});
  {
    const MutexLock lock(mutex_);
    QV_CHECK(check_sender(parcel.from, parcel.from_node));
    arriving_ = &entries;
    arriving_first_ = entries.empty() ? Seq{0} : entries.front()->seq;
    step(received);
    arriving_ = nullptr;
  }
  send_out();
  return Done{};
}

bool ReplicatedCopy::has_log_behind(LogPosition last) const {
  const MutexLock lock(mutex_);
  const LogView& log = fsm_.log();
  return !closed_ && log.history().contains(last) && log.first() <= next(last.seq);
}

Result<std::filesystem::path> ReplicatedCopy::expect_snapshot(bool resume) {
  {
    const MutexLock lock(mutex_);
    if (closed_ || snapshot_expected_) {
      return Error{ErrorCode::FailedPrecondition,
                   closed_ ? "the copy is closed" : "the copy receives another snapshot"};
    }
    snapshot_expected_ = true;
  }
  auto directory = resume ? place_.store.resume_incoming(place_.copy)
                          : place_.store.prepare_incoming(place_.copy);
  if (!directory.ok()) {
    drop_snapshot();
    return directory;
  }
  const MutexLock lock(mutex_);
  snapshot_directory_ = *directory;
  return directory;
}

void ReplicatedCopy::drop_snapshot(bool keep) {
  const auto gone = keep ? Status(Done{}) : place_.store.discard_incoming(place_.copy);
  if (!gone.ok()) {
    QV_LOG_WARN("snapshot_left copy={} error=\"{}\"", place_.copy.text, gone.error().message);
  }
  const MutexLock lock(mutex_);
  snapshot_expected_ = false;
}

void ReplicatedCopy::receive_snapshot(const NodeId& from_node, const SnapshotReceived& snapshot,
                                      SnapshotDone done) {
  {
    const MutexLock lock(mutex_);
    installing_ = false;
    snapshot_ = &snapshot;
    if (check_sender(snapshot.from, from_node).ok()) step(snapshot);
    snapshot_ = nullptr;
    if (installing_) snapshot_done_ = std::exchange(done, nullptr);
  }
  send_out();
  if (!done) return;
  // The copy has come that far by itself, or the primary was replaced.
  drop_snapshot();
  done(false);
}

void ReplicatedCopy::end_snapshot(bool installed) {
  snapshot_expected_ = false;
  if (!snapshot_done_) return;
  later([done = std::exchange(snapshot_done_, nullptr), installed] { done(installed); });
}

void ReplicatedCopy::snapshot_ended(const CopyId& to, bool arrived) {
  handle(SnapshotEnded{to, arrived});
}

// -- what the disk tells

void ReplicatedCopy::synced(Ticket through) {
  {
    const MutexLock lock(mutex_);
    step(Synced{through});
    if (std::exchange(installed_, false)) end_snapshot(true);
  }
  send_out();
}

void ReplicatedCopy::failed(const Error& why) {
  QV_LOG_ERROR("copy_failed shard={} copy={} error=\"{}\" remedy=opened_anew", raw(place_.shard),
               place_.copy.text, why.message);
  {
    const MutexLock lock(mutex_);
    step(DiskFailed{});
    fail_waiting();
    end_snapshot(false);
  }
  send_out();
}

void ReplicatedCopy::applied(Seq through, const std::vector<MutationResult>& results) {
  {
    const MutexLock lock(mutex_);
    applied_ = std::max(applied_, through);
    answer_applied(through, results);
    step(Applied{through});
    installed_ = installed_ || results.empty();
    touched_.applied(applied_, fsm_.log().tail());
    applied_changed_.notify_all();
  }
  send_out();
}

void ReplicatedCopy::trimmed(Seq first) {
  handle(Trimmed{first});
}

// -- what the rules say

void ReplicatedCopy::act(const PersistTerm& action) {
  disk_->persist_term(action.term, action.ticket);
}

void ReplicatedCopy::act(const AppendReceived& action) {
  const auto skip = static_cast<std::ptrdiff_t>(raw(action.first) - raw(arriving_first_));
  std::vector<SharedEntry> entries(arriving_->begin() + skip, arriving_->end());
  for (const auto& entry : entries) cache_.append(entry);
  touched_.add_all(entries.back()->seq);
  disk_->append(std::move(entries), action.ticket);
}

void ReplicatedCopy::act(const TruncateAfter& action) {
  cache_.truncate_after(action.last);
  touched_.truncate_after(action.last);
  disk_->truncate_after(action.last, action.ticket);
}

void ReplicatedCopy::act(const InstallSnapshot& action) {
  installing_ = true;
  cache_.clear();
  touched_.reset(action.position.seq);
  apply_asked_ = action.position.seq;
  disk_->install(snapshot_directory_, snapshot_->history, action.ticket);
}

void ReplicatedCopy::act(const ApplyThrough& action) {
  apply_asked_ = action.seq;
  disk_->apply_through(action.seq);
}

void ReplicatedCopy::act(const Send& action) {
  if (const auto* append = std::get_if<Append>(&action.message);
      append != nullptr && append->through > append->prev.seq) {
    return send_entries(action, *append);
  }
  later([this, parcel = parcel_to(action.to, action.message)] { parts_.outbox.send(parcel); });
}

void ReplicatedCopy::act(const SendSnapshot& action) {
  later([this, order = SnapshotOrder{place_.spec.id, place_.shard, place_.copy, action.to,
                                     node_of(action.to), action.term, action.sent_at}] {
    parts_.outbox.send_snapshot(order);
  });
}

void ReplicatedCopy::act(const SwapRecord& action) {
  later([this, action, weak = weak_from_this()] {
    parts_.keeper.swap(action.id, action.expected, action.desired,
                       [weak](const SwapAnswered& answered) {
                         if (const auto self = weak.lock()) self->handle(answered);
                       });
  });
}

void ReplicatedCopy::act(const ReadRecord&) {
  read_record();
}

void ReplicatedCopy::read_record() {
  record_asked_ = now();
  later([this, weak = weak_from_this()] {
    parts_.keeper.read([weak](const RecordSeen& seen) {
      if (const auto self = weak.lock()) self->record_seen(seen);
    });
  });
}

void ReplicatedCopy::act(const Retire&) {
  retired_ = true;
  if (parts_.retired) later(parts_.retired);
}

}  // namespace quiver::cluster::replication
