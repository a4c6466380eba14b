#include "cluster/replication/copy_exchange.h"

#include <system_error>
#include <utility>

#include "cluster/migration/checkpoint_files.h"
#include "cluster/replication/message_codec.h"
#include "core/log.h"
#include "storage/files.h"

namespace quiver::cluster::replication {
namespace {

Error closed() {
  return {ErrorCode::Unavailable, "the server is stopping"};
}

Error no_copy(const CopyId& copy) {
  return {ErrorCode::NotFound, "this server has no copy " + copy.text + " of the shard"};
}

}  // namespace

CopyExchange::CopyExchange(Parts parts, const Options& options)
    : parts_(std::move(parts)),
      options_(options),
      making_(std::make_unique<WorkPool>(options.bulk_threads)),
      fetching_(std::make_unique<WorkPool>(options.bulk_threads)) {}

Result<std::unique_ptr<CopyExchange>> CopyExchange::open(Parts parts, const Options& options) {
  std::error_code problem;
  std::filesystem::remove_all(parts.outgoing, problem);
  if (problem) return storage::file_error(problem.value(), "remove old checkpoints");
  QV_CHECK(storage::make_directories(parts.outgoing, "the directory of checkpoints"));
  return std::unique_ptr<CopyExchange>(new CopyExchange(std::move(parts), options));
}

CopyExchange::~CopyExchange() {
  close();
}

void CopyExchange::close() {
  std::map<NodeId, Link> links;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    links.swap(links_);
  }
  closing_.notify_all();
  cancel_.cancel();
  links.clear();
  fetching_.reset();
  making_.reset();
  std::map<std::string, Outgoing> left;
  const MutexLock lock(mutex_);
  left.swap(outgoing_);
}

void CopyExchange::add(const std::shared_ptr<ReplicatedCopy>& copy) {
  const MutexLock lock(mutex_);
  copies_[copy->id()] = copy;
}

void CopyExchange::remove(const CopyId& copy) {
  const MutexLock lock(mutex_);
  copies_.erase(copy);
}

std::shared_ptr<ReplicatedCopy> CopyExchange::find(const std::string& collection, ShardId shard,
                                                   const CopyId& copy) const {
  const MutexLock lock(mutex_);
  const auto found = copies_.find(copy);
  if (found == copies_.end()) return nullptr;
  auto strong = found->second.lock();
  const bool meant =
      strong != nullptr && strong->spec().id == collection && strong->shard_id() == shard;
  return meant ? strong : nullptr;
}

// -- messages

void CopyExchange::send(Parcel parcel) {
  // Nobody knows where it is: whoever sent this sends it again.
  if (parcel.to_node.empty()) return;
  std::shared_ptr<PeerLink> link;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    auto& [known, used_at] = links_[parcel.to_node];
    used_at = std::chrono::steady_clock::now();
    if (known == nullptr) {
      known = std::make_shared<PeerLink>(
          [this, node = parcel.to_node] { return parts_.peer(node); },
          [](const Parcel& refused, const Error& why) {
            QV_LOG_DEBUG("parcel_refused node={} copy={} error=\"{}\"", refused.to_node.text,
                         refused.to.text, why.message);
          },
          options_.link);
    }
    link = known;
  }
  link->send(std::move(parcel));
}

thrift::Reply<std::vector<thrift::RefusedParcel>> CopyExchange::deliver(
    const thrift::NodeCall& call, std::vector<thrift::CopyParcel> parcels) {
  std::vector<thrift::RefusedParcel> refused;
  for (std::size_t i = 0; i < parcels.size(); ++i) {
    if (auto taken = take({call.caller}, parcels[i]); !taken.ok()) {
      refused.push_back({i, std::move(taken).error()});
    }
  }
  return refused;
}

Status CopyExchange::take(const NodeId& from, thrift::CopyParcel& parcel) {
  const auto copy = find(parcel.collection, parcel.shard, parcel.to);
  if (copy == nullptr) return no_copy(parcel.to);
  ArrivedParcel arrived;
  arrived.from = std::move(parcel.from);
  arrived.from_node = from;
  QV_TRY(arrived.message, decode_message(parcel.message));
  arrived.entries = std::move(parcel.entries);
  return copy->receive(std::move(arrived));
}

PeerLink::Figures CopyExchange::figures(const NodeId& node) const {
  std::shared_ptr<PeerLink> link;
  {
    const MutexLock lock(mutex_);
    const auto found = links_.find(node);
    if (found == links_.end()) return {};
    link = found->second.way;
  }
  return link->figures();
}

std::size_t CopyExchange::links() const {
  const MutexLock lock(mutex_);
  return links_.size();
}

void CopyExchange::take_down_idle() {
  std::vector<std::shared_ptr<PeerLink>> idle;
  {
    const MutexLock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(links_, [&](const auto& each) {
      if (now - each.second.used_at <= options_.link_idle) return false;
      idle.push_back(each.second.way);
      return true;
    });
  }
  // Waits for its threads, which the ticker must not.
  if (!idle.empty()) post(making_, [idle = std::move(idle)] {});
}

void CopyExchange::post(std::unique_ptr<WorkPool>& pool, WorkPool::Work work) {
  const MutexLock lock(mutex_);
  if (!closed_) pool->post(std::move(work));
}

// -- snapshots that go out

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

Status CopyExchange::offer(const SnapshotOrder& order, ReplicatedCopy& source) {
  QV_TRY(const auto peer, parts_.peer(order.to_node));
  const auto id = RequestId::random().hex();
  const auto directory = parts_.outgoing / id;
  auto history = source.checkpoint(directory);
  if (!history.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return std::move(history).error();
  }
  QV_TRY(const auto files, CheckpointFiles::take(directory, history->last()));
  {
    const MutexLock lock(mutex_);
    if (closed_) return closed();
    outgoing_[id] = {files, order, std::chrono::steady_clock::now()};
  }
  thrift::ShardCall call;
  call.context.cancel = cancel_;
  call.context.deadline = std::chrono::steady_clock::now() + options_.call_time;
  call.collection = order.collection;
  call.shard = order.shard;
  call.copy = order.to;
  const SnapshotReceived message{order.from, order.term, std::move(*history), order.sent_at};
  const auto answered =
      peer->offer_snapshot(call, {files->describe(), order.from, encode_snapshot(message)});
  if (answered.ok()) return Done{};
  const MutexLock lock(mutex_);
  outgoing_.erase(id);
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
  return files->read(chunk.file, chunk.offset, chunk.length);
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

void CopyExchange::tick() {
  give_up_idle();
  take_down_idle();
}

void CopyExchange::give_up_idle() {
  std::vector<std::string> idle;
  {
    const MutexLock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, snapshot] : outgoing_) {
      if (now - snapshot.read_at > options_.snapshot_idle) idle.push_back(id);
    }
  }
  for (const auto& id : idle) {
    QV_LOG_WARN("snapshot_given_up checkpoint={} why=\"nobody reads it\"", id);
    end_outgoing(id, false);
  }
}

std::size_t CopyExchange::snapshots_outgoing() const {
  const MutexLock lock(mutex_);
  return outgoing_.size();
}

// -- snapshots that come in

thrift::Answered CopyExchange::offer_snapshot(const thrift::ShardCall& call,
                                              const thrift::SnapshotOffer& offer) {
  QV_TRY(auto snapshot, decode_snapshot(offer.message));
  snapshot.from = offer.from;
  if (find(call.collection, call.shard, call.copy) == nullptr) return no_copy(call.copy);
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  fetching_->post([this, call, offer, snapshot = std::move(snapshot)] {
    fetch_snapshot(call, offer, snapshot);
  });
  return Done{};
}

void CopyExchange::fetch_snapshot(const thrift::ShardCall& call, const thrift::SnapshotOffer& offer,
                                  const SnapshotReceived& snapshot) {
  const NodeId source{call.caller};
  const auto copy = find(call.collection, call.shard, call.copy);
  const auto end = [this, source, call, id = offer.checkpoint.id] {
    end_at_source(source, call, id);
  };
  if (copy == nullptr) return end();
  const auto directory = copy->expect_snapshot();
  if (!directory.ok()) return end();
  const auto fetched = fetch_files(call, offer, *directory);
  if (!fetched.ok()) {
    QV_LOG_WARN("snapshot_not_received copy={} error=\"{}\"", call.copy.text,
                fetched.error().message);
    copy->drop_snapshot();
    return end();
  }
  copy->receive_snapshot(source, snapshot, [this, end](bool /*installed*/) { post(making_, end); });
}

Status CopyExchange::fetch_files(const thrift::ShardCall& call, const thrift::SnapshotOffer& offer,
                                 const std::filesystem::path& directory) {
  QV_TRY(const auto peer, parts_.peer({call.caller}));
  Receiver::Options options;
  options.bytes_per_second = options_.bytes_per_second;
  options.call_time = options_.call_time;
  // No writes wait for it.
  options.hold_total = std::chrono::hours{24 * 365};
  Receiver receiver(parts_.store, options,
                    [this](std::chrono::milliseconds pause) { return wait(pause); });
  Transfer transfer;
  transfer.directory = directory;
  thrift::ShardCall source;
  source.context.cancel = cancel_;
  source.collection = call.collection;
  source.shard = call.shard;
  source.copy = offer.from;
  return receiver.receive_offered(source, *peer, offer.checkpoint, transfer,
                                  [](const Transfer&) -> Status { return Done{}; });
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

bool CopyExchange::wait(std::chrono::milliseconds pause) {
  const auto until = std::chrono::steady_clock::now() + pause;
  const MutexLock lock(mutex_);
  while (!closed_ && closing_.wait_until(mutex_, until)) {
  }
  return !closed_;
}

}  // namespace quiver::cluster::replication
