#include "cluster/replication/peer_link.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "cluster/replication/message_codec.h"
#include "core/log.h"
#include "thrift/limits.h"

namespace quiver::cluster::replication {
namespace {

/// Of a parcel, its ids and lengths.
constexpr std::size_t kParcelBytes = 256;

std::size_t bytes_of(const Parcel& parcel) {
  std::size_t bytes = kParcelBytes;
  if (const auto* mismatch = std::get_if<Mismatch>(&parcel.message)) {
    bytes += mismatch->history.reigns().size() * sizeof(History::Reign);
  }
  for (const auto& entry : parcel.entries) bytes += entry->bytes.size() + sizeof(std::uint64_t);
  return bytes;
}

/// The same for two messages of which the later says all that the earlier did: entries behind the
/// same one, or the newest answer or sign of life.
std::string key_of(const Parcel& parcel) {
  std::string key = parcel.from.text + parcel.to.text;
  key.push_back(static_cast<char>('0' + parcel.message.index()));
  if (!parcel.entries.empty()) {
    key += std::to_string(raw(std::get<Append>(parcel.message).prev.seq));
  }
  return key;
}

/// The last of its entries, which names them all together with the one before them.
LogPosition end_of(const Parcel& parcel) {
  if (parcel.entries.empty()) return {};
  return {parcel.entries.back()->term, parcel.entries.back()->seq};
}

thrift::CopyParcel packed(const Parcel& parcel) {
  thrift::CopyParcel out{
      parcel.collection, parcel.shard, parcel.from, parcel.to, encode_message(parcel.message), {}};
  out.entries.reserve(parcel.entries.size());
  for (const auto& entry : parcel.entries) out.entries.push_back(entry->bytes);
  return out;
}

}  // namespace

class PeerLink::Lane {
 public:
  explicit Lane(PeerLink& link) : link_(link), thread_([this] { run(); }) {}
  ~Lane() {
    {
      const MutexLock lock(mutex_);
      closed_ = true;
    }
    cancel_.cancel();
    changed_.notify_all();
    thread_.join();
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void push(Parcel parcel) {
    const auto key = key_of(parcel);
    const std::size_t bytes = bytes_of(parcel);
    std::size_t dropped = 0;
    {
      const MutexLock lock(mutex_);
      // The very same entries are on their way: whoever is slow to take them gets them once.
      const auto going = under_way_.find(key);
      const bool again = going != under_way_.end() && going->second == end_of(parcel);
      if (const auto known = by_key_.find(key); known != by_key_.end()) {
        bytes_ -= bytes_of(*known->second);
        queue_.erase(known->second);
        by_key_.erase(known);
        ++dropped;
      }
      if (closed_ || again || bytes_ + bytes > link_.options_.queue_bytes) {
        ++dropped;
      } else {
        bytes_ += bytes;
        queue_.push_back(std::move(parcel));
        by_key_.emplace(key, std::prev(queue_.end()));
      }
    }
    changed_.notify_one();
    if (dropped > 0) link_.note([&](Figures& figures) { figures.dropped += dropped; });
  }

 private:
  void run() {
    auto pause = link_.options_.pause;
    for (;;) {
      const auto parcels = take();
      if (parcels.empty()) return;
      if (carry(parcels)) {
        pause = link_.options_.pause;
        continue;
      }
      drop_all();
      wait(pause);
      pause = std::min(2 * pause, link_.options_.pause_max);
    }
  }

  /// Nothing: the lane is closed.
  std::vector<Parcel> take() {
    std::vector<Parcel> parcels;
    std::size_t bytes = 0;
    std::size_t entries = 0;
    const MutexLock lock(mutex_);
    under_way_.clear();
    while (queue_.empty() && !closed_) changed_.wait(mutex_);
    if (closed_) return parcels;
    while (!queue_.empty() && parcels.size() < thrift::kParcelsMax) {
      const std::size_t more = bytes_of(queue_.front());
      const std::size_t count = queue_.front().entries.size();
      const bool fits =
          bytes + more <= link_.options_.call_bytes && entries + count <= thrift::kParcelEntriesMax;
      if (!parcels.empty() && !fits) break;
      bytes += more;
      entries += count;
      bytes_ -= more;
      const auto key = key_of(queue_.front());
      by_key_.erase(key);
      if (count > 0) under_way_.emplace(key, end_of(queue_.front()));
      parcels.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return parcels;
  }

  bool carry(const std::vector<Parcel>& parcels) {
    try {
      return try_carry(parcels);
    } catch (const std::exception& problem) {
      QV_LOG_ERROR("copies_not_told error=\"{}\"", problem.what());
      return false;
    }
  }

  bool try_carry(const std::vector<Parcel>& parcels) {
    const auto peer = link_.connect_();
    if (!peer.ok()) return lost(parcels, peer.error());
    std::vector<thrift::CopyParcel> out;
    out.reserve(parcels.size());
    std::size_t entries = 0;
    for (const auto& parcel : parcels) {
      out.push_back(packed(parcel));
      entries += parcel.entries.size();
    }
    thrift::NodeCall call;
    call.context.cancel = cancel_;
    call.context.deadline = std::chrono::steady_clock::now() + link_.options_.call_time;
    const auto refused = (*peer)->deliver(call, std::move(out));
    if (!refused.ok()) return lost(parcels, refused.error());
    for (const auto& each : refused.result.value()) {
      if (each.index < parcels.size()) link_.refused_(parcels[each.index], each.why);
    }
    link_.note([&](Figures& figures) {
      ++figures.calls;
      figures.parcels += parcels.size();
      figures.entries += entries;
      figures.refused += refused.result.value().size();
    });
    failed_ = false;
    return true;
  }

  bool lost(const std::vector<Parcel>& parcels, const Error& why) {
    if (!failed_) {
      QV_LOG_WARN("copies_not_reached node={} error=\"{}\"", parcels.front().to_node.text,
                  why.message);
    }
    failed_ = true;
    link_.note([&](Figures& figures) { figures.dropped += parcels.size(); });
    return false;
  }

  void drop_all() {
    std::list<Parcel> dropped;
    {
      const MutexLock lock(mutex_);
      dropped.swap(queue_);
      by_key_.clear();
      bytes_ = 0;
    }
    link_.note([&](Figures& figures) { figures.dropped += dropped.size(); });
  }

  void wait(std::chrono::milliseconds pause) {
    const auto until = std::chrono::steady_clock::now() + pause;
    const MutexLock lock(mutex_);
    while (!closed_ && changed_.wait_until(mutex_, until)) {
    }
  }

  PeerLink& link_;
  const CancelToken cancel_ = CancelToken::make();
  /// Of the thread: said once.
  bool failed_ = false;
  Mutex mutex_;
  CondVar changed_;
  std::list<Parcel> queue_ QV_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::list<Parcel>::iterator> by_key_ QV_GUARDED_BY(mutex_);
  /// Entries that go with the call under way.
  std::unordered_map<std::string, LogPosition> under_way_ QV_GUARDED_BY(mutex_);
  std::size_t bytes_ QV_GUARDED_BY(mutex_) = 0;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Last: it uses all above.
  std::thread thread_;
};

PeerLink::PeerLink(Connect connect, Refused refused, const Options& options)
    : connect_(std::move(connect)),
      refused_(std::move(refused)),
      options_(options),
      entries_(std::make_unique<Lane>(*this)),
      pulse_(std::make_unique<Lane>(*this)) {}

PeerLink::~PeerLink() = default;

void PeerLink::send(Parcel parcel) {
  auto& lane = parcel.entries.empty() ? *pulse_ : *entries_;
  lane.push(std::move(parcel));
}

PeerLink::Figures PeerLink::figures() const {
  const MutexLock lock(mutex_);
  return figures_;
}

}  // namespace quiver::cluster::replication
