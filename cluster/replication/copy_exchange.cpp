#include "cluster/replication/copy_exchange.h"

#include <system_error>
#include <utility>

#include "cluster/migration/checkpoint_files.h"
#include "cluster/replication/message_codec.h"
#include "core/log.h"
#include "storage/files.h"

namespace quiver::cluster::replication {
namespace {

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
  QV_TRY(const auto kept, parts.store.resumable_incoming());
  std::unique_ptr<CopyExchange> exchange(new CopyExchange(std::move(parts), options));
  const MutexLock lock(exchange->keeping_);
  for (const auto& copy : kept) {
    exchange->kept_incoming_[copy] = std::chrono::steady_clock::now();
  }
  return exchange;
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
  fetched_.erase(copy);
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

void CopyExchange::tick() {
  give_up_idle();
  discard_kept();
  take_down_idle();
}

}  // namespace quiver::cluster::replication
