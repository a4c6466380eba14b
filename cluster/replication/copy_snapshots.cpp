// How a copy that lacks more than the log has is filled: by files that lie ready, and are fetched.

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "cluster/migration/checkpoint_files.h"
#include "cluster/migration/transfer_file.h"
#include "cluster/pause.h"
#include "cluster/replication/copy_exchange.h"
#include "cluster/replication/message_codec.h"
#include "core/log.h"

namespace quiver::cluster::replication {
namespace {

// How far a transfer has come is made durable so often: a crash costs no more than that.
constexpr std::uint64_t kSaveBytes = std::uint64_t{64} << 20;
constexpr std::chrono::milliseconds kPauseMax{2'000};

Error closed() {
  return {ErrorCode::Unavailable, "the server is stopping"};
}

Error no_copy(const CopyId& copy) {
  return {ErrorCode::NotFound, "this server has no copy " + copy.text + " of the shard"};
}

/// Whether the way to the other server failed, or this one stops: what is there is good.
bool is_of_way(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::DeadlineExceeded;
}

bool is_for(const SnapshotOrder& a, const SnapshotOrder& b) {
  return a.collection == b.collection && a.shard == b.shard && a.from == b.from && a.to == b.to &&
         a.to_node == b.to_node;
}

}  // namespace

// -- that go out

void CopyExchange::send_snapshot(const SnapshotOrder& order) {
  post(making_, [this, order] { make_snapshot(order); });
}

void CopyExchange::make_snapshot(const SnapshotOrder& order) {
  const auto source = find(order.collection, order.shard, order.from);
  if (source == nullptr) return;
  const auto offered = offer(order, *source);
  if (offered.ok()) return;
  QV_LOG_WARN("snapshot_not_sent copy={} to={} error=\"{}\"", order.from.text, order.to.text,
              offered.error().message);
  source->snapshot_ended(order.to, false);
}

std::optional<std::string> CopyExchange::kept_for(const SnapshotOrder& order,
                                                  const ReplicatedCopy& source) {
  std::optional<std::string> id;
  LogPosition last;
  {
    const MutexLock lock(mutex_);
    for (const auto& [each, snapshot] : outgoing_) {
      if (!snapshot.kept_since || !is_for(snapshot.order, order)) continue;
      id = each;
      last = snapshot.history.last();
    }
  }
  // Whoever got it, and then lacked entries, would need another one at once.
  const bool good = id && source.has_log_behind(last);
  Outgoing gone;
  const MutexLock lock(mutex_);
  const auto found = id ? outgoing_.find(*id) : outgoing_.end();
  if (found == outgoing_.end()) return std::nullopt;
  if (good) {
    found->second.order = order;
    found->second.kept_since.reset();
    found->second.read_at = std::chrono::steady_clock::now();
    return id;
  }
  std::swap(gone, found->second);
  outgoing_.erase(found);
  return std::nullopt;
}

Result<std::string> CopyExchange::make(const SnapshotOrder& order, ReplicatedCopy& source) {
  const auto id = RequestId::random().hex();
  const auto directory = parts_.outgoing / id;
  auto history = source.checkpoint(directory);
  if (!history.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return std::move(history).error();
  }
  QV_TRY(auto files, CheckpointFiles::take(directory, history->last()));
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  outgoing_[id] = {std::move(files), std::move(*history), order, std::chrono::steady_clock::now(),
                   std::nullopt};
  return id;
}

Status CopyExchange::offer(const SnapshotOrder& order, ReplicatedCopy& source) {
  QV_TRY(const auto peer, parts_.peer(order.to_node));
  std::string id;
  if (auto kept = kept_for(order, source)) {
    id = std::move(*kept);
    QV_LOG_INFO("snapshot_offered_again copy={} to={}", order.from.text, order.to.text);
  } else {
    QV_TRY(id, make(order, source));
  }
  thrift::SnapshotOffer offered;
  {
    const MutexLock lock(mutex_);
    const auto found = outgoing_.find(id);
    if (found == outgoing_.end()) return closed();
    const SnapshotReceived message{order.from, order.term, found->second.history, order.sent_at};
    offered = {found->second.files->describe(), order.from, encode_snapshot(message)};
  }
  thrift::ShardCall call;
  call.context.cancel = cancel_;
  call.context.deadline = std::chrono::steady_clock::now() + options_.call_time;
  call.collection = order.collection;
  call.shard = order.shard;
  call.copy = order.to;
  const auto answered = peer->offer_snapshot(call, offered);
  if (answered.ok()) return Done{};
  // A server that starts does not have its copies yet.
  const MutexLock lock(mutex_);
  const auto found = outgoing_.find(id);
  if (found != outgoing_.end()) found->second.kept_since = std::chrono::steady_clock::now();
  return answered.error();
}

bool CopyExchange::knows(const std::string& checkpoint) const {
  const MutexLock lock(mutex_);
  return outgoing_.contains(checkpoint);
}

Result<std::shared_ptr<CheckpointFiles>> CopyExchange::outgoing(const thrift::ShardCall& call,
                                                                const std::string& checkpoint) {
  const MutexLock lock(mutex_);
  const auto found = outgoing_.find(checkpoint);
  const bool meant = found != outgoing_.end() && found->second.order.to_node.text == call.caller &&
                     found->second.order.collection == call.collection &&
                     found->second.order.shard == call.shard;
  if (!meant) return Error{ErrorCode::NotFound, "there is no such snapshot any more"};
  found->second.read_at = std::chrono::steady_clock::now();
  return found->second.files;
}

thrift::Reply<std::string> CopyExchange::read_chunk(const thrift::ShardCall& call,
                                                    const thrift::ChunkCall& chunk) {
  QV_TRY(const auto files, outgoing(call, chunk.checkpoint));
  QV_TRY(auto bytes, files->read(chunk.file, chunk.offset, chunk.length));
  QV_CHECK(options_.paces.out->take(call.context, call.caller + chunk.checkpoint, bytes.size()));
  return bytes;
}

thrift::Answered CopyExchange::end_checkpoint(const thrift::ShardCall& call,
                                              const std::string& checkpoint) {
  // A repetition finds it gone.
  if (!outgoing(call, checkpoint).ok()) return Done{};
  end_outgoing(checkpoint, true);
  return Done{};
}

void CopyExchange::end_outgoing(const std::string& checkpoint, bool arrived) {
  Outgoing ended;
  {
    const MutexLock lock(mutex_);
    const auto found = outgoing_.find(checkpoint);
    if (found == outgoing_.end()) return;
    ended = std::move(found->second);
    outgoing_.erase(found);
  }
  const auto& order = ended.order;
  if (const auto source = find(order.collection, order.shard, order.from)) {
    source->snapshot_ended(order.to, arrived);
  }
}

void CopyExchange::give_up_idle() {
  std::vector<SnapshotOrder> given_up;
  std::vector<Outgoing> gone;
  {
    const MutexLock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (auto it = outgoing_.begin(); it != outgoing_.end();) {
      auto& snapshot = it->second;
      const bool over = snapshot.kept_since && now - *snapshot.kept_since > options_.snapshot_keep;
      if (over) {
        gone.push_back(std::move(snapshot));
        it = outgoing_.erase(it);
        continue;
      }
      if (!snapshot.kept_since && now - snapshot.read_at > options_.snapshot_idle) {
        snapshot.kept_since = now;
        given_up.push_back(snapshot.order);
      }
      ++it;
    }
  }
  for (const auto& order : given_up) {
    QV_LOG_WARN("snapshot_given_up copy={} to={} why=\"nobody reads it\"", order.from.text,
                order.to.text);
    if (const auto source = find(order.collection, order.shard, order.from)) {
      source->snapshot_ended(order.to, false);
    }
  }
}

std::size_t CopyExchange::snapshots_outgoing() const {
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(outgoing_.begin(), outgoing_.end(),
                    [](const auto& each) { return !each.second.kept_since; }));
}

// -- that come in

thrift::Answered CopyExchange::offer_snapshot(const thrift::ShardCall& call,
                                              const thrift::SnapshotOffer& offer) {
  QV_TRY(auto snapshot, decode_snapshot(offer.message));
  snapshot.from = offer.from;
  if (find(call.collection, call.shard, call.copy) == nullptr) return no_copy(call.copy);
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  // The same files once more, perhaps in another term: what has come of them is good.
  const bool fresh = arriving_.insert_or_assign(offer.checkpoint.id, std::move(snapshot)).second;
  if (fresh) fetching_->post([this, call, offer] { fetch_snapshot(call, offer); });
  return Done{};
}

SnapshotReceived CopyExchange::arriving(const std::string& checkpoint) const {
  const MutexLock lock(mutex_);
  return arriving_.at(checkpoint);
}

void CopyExchange::forget_arriving(const std::string& checkpoint) {
  const MutexLock lock(mutex_);
  arriving_.erase(checkpoint);
}

void CopyExchange::fetch_snapshot(const thrift::ShardCall& call,
                                  const thrift::SnapshotOffer& offer) {
  const NodeId source{call.caller};
  const auto copy = find(call.collection, call.shard, call.copy);
  // In this order: behind it the same files would be fetched once more.
  const auto end = [this, source, call, id = offer.checkpoint.id] {
    end_at_source(source, call, id);
    forget_arriving(id);
  };
  auto transfer = copy != nullptr ? begin_fetch(*copy, offer) : no_copy(call.copy);
  if (!transfer.ok()) return end();
  auto fetched = fetch_files(call, offer, *transfer);
  if (fetched.ok()) fetched = forget_transfer(transfer->directory);
  if (!fetched.ok()) {
    const bool kept = leave(*copy, *transfer, fetched.error());
    QV_LOG_WARN("snapshot_not_received copy={} bytes={} of={} kept={} error=\"{}\"", call.copy.text,
                transfer->bytes_done, transfer->bytes_total, kept, fetched.error().message);
    // It finds out by itself that nobody reads, and keeps its files too.
    if (!kept) return end();
    return forget_arriving(offer.checkpoint.id);
  }
  // A large one takes longer to be installed than the source waits for somebody who reads: it
  // offers the same again meanwhile.
  const auto snapshot = arriving(offer.checkpoint.id);
  copy->receive_snapshot(source, snapshot, [this, end](bool /*installed*/) { post(making_, end); });
}

Result<Transfer> CopyExchange::begin_fetch(ReplicatedCopy& copy,
                                           const thrift::SnapshotOffer& offer) {
  bool kept = false;
  {
    const MutexLock lock(keeping_);
    kept = kept_incoming_.erase(copy.id()) > 0;
  }
  QV_TRY(auto directory, copy.expect_snapshot(kept));
  if (kept) {
    if (auto transfer = load_transfer(directory, offer.checkpoint)) {
      QV_LOG_INFO("snapshot_goes_on copy={} bytes={} of={}", copy.id().text, transfer->bytes_done,
                  transfer->bytes_total);
      return std::move(*transfer);
    }
    if (auto emptied = parts_.store.prepare_incoming(copy.id()); !emptied.ok()) {
      copy.drop_snapshot();
      return emptied.error();
    }
  }
  Transfer transfer;
  transfer.directory = std::move(directory);
  return transfer;
}

Status CopyExchange::fetch_files(const thrift::ShardCall& call, const thrift::SnapshotOffer& offer,
                                 Transfer& transfer) {
  Receiver::Options options;
  options.pace = options_.paces.in;
  options.call_time = options_.call_time;
  // No writes wait for it.
  options.hold_total = std::chrono::hours{24 * 365};
  Receiver receiver(parts_.store, options);
  thrift::ShardCall source;
  source.context.cancel = cancel_;
  source.collection = call.collection;
  source.shard = call.shard;
  source.copy = offer.from;
  auto saved = transfer.bytes_done;
  const auto save_now_and_then = [&](const Transfer& now) -> Status {
    note_fetched(call.copy, now);
    if (now.bytes_done - saved < kSaveBytes) return Done{};
    saved = now.bytes_done;
    return save_transfer(now);
  };
  auto wait = options_.fetch_pause;
  auto got = transfer.bytes_done;
  auto got_at = std::chrono::steady_clock::now();
  for (;;) {
    const auto peer = parts_.peer({call.caller});
    auto fetched = peer.ok() ? receiver.receive_offered(source, **peer, offer.checkpoint, transfer,
                                                        save_now_and_then)
                             : Status(peer.error());
    if (fetched.ok() || !is_of_way(fetched.error())) return fetched;
    const auto now = std::chrono::steady_clock::now();
    if (transfer.bytes_done > got) {
      got = transfer.bytes_done;
      got_at = now;
      wait = options_.fetch_pause;
    }
    if (now - got_at > options_.snapshot_idle) return fetched;
    if (!pause(source.context, wait).ok()) return fetched;
    wait = std::min(2 * wait, kPauseMax);
  }
}

void CopyExchange::note_fetched(const CopyId& copy, const Transfer& transfer) {
  const MutexLock lock(mutex_);
  if (copies_.contains(copy)) fetched_[copy] = {transfer.bytes_done, transfer.bytes_total};
}

CopyExchange::Fetched CopyExchange::fetched(const CopyId& copy) const {
  const MutexLock lock(mutex_);
  const auto found = fetched_.find(copy);
  return found == fetched_.end() ? Fetched{} : found->second;
}

bool CopyExchange::leave(ReplicatedCopy& copy, const Transfer& transfer, const Error& why) {
  const bool keep = is_of_way(why) && transfer.bytes_done > 0 && save_transfer(transfer).ok();
  if (keep) {
    const MutexLock lock(keeping_);
    kept_incoming_[copy.id()] = std::chrono::steady_clock::now();
  }
  copy.drop_snapshot(keep);
  return keep;
}

void CopyExchange::discard_kept() {
  std::vector<CopyId> over;
  {
    const MutexLock lock(keeping_);
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [copy, since] : kept_incoming_) {
      if (now - since > options_.snapshot_keep) over.push_back(copy);
    }
  }
  for (const auto& copy : over) {
    post(making_, [this, copy] { discard_incoming(copy); });
  }
}

void CopyExchange::discard_incoming(const CopyId& copy) {
  const MutexLock lock(keeping_);
  // Somebody goes on with them after all.
  if (kept_incoming_.erase(copy) == 0) return;
  if (const auto gone = parts_.store.discard_incoming(copy); !gone.ok()) {
    QV_LOG_WARN("snapshot_left copy={} error=\"{}\"", copy.text, gone.error().message);
  }
}

void CopyExchange::end_at_source(const NodeId& source, const thrift::ShardCall& call,
                                 const std::string& checkpoint) {
  const auto peer = parts_.peer(source);
  if (!peer.ok()) return;
  thrift::ShardCall out;
  out.context.cancel = cancel_;
  out.context.deadline = std::chrono::steady_clock::now() + options_.end_time;
  out.collection = call.collection;
  out.shard = call.shard;
  const auto ended = (*peer)->end_checkpoint(out, checkpoint);
  if (!ended.ok()) {
    // It gives up by itself what nobody reads.
    QV_LOG_INFO("snapshot_end_not_told node={} error=\"{}\"", source.text, ended.error().message);
  }
}

}  // namespace quiver::cluster::replication
