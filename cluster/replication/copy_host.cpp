#include "cluster/replication/copy_host.h"

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace quiver::cluster::replication {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
// Expired points that one write takes: keeps its log entry small.
constexpr std::size_t kPurgePointsMax = 1000;
constexpr std::chrono::milliseconds kPurgePatience{100};
// The record that names a copy is written behind it, and names it from its first revision on.
constexpr Revision kBornWithShard{1};

Error stopping() {
  return {ErrorCode::Unavailable, "the server is stopping; try again later"};
}

std::string named(const storage::ShardPlace& place) {
  return "copy " + place.copy.text + " of shard " + std::to_string(raw(place.shard));
}

}  // namespace

struct CopyHost::News {
  void tell(const RecordSeen& seen) {
    std::shared_ptr<ReplicatedCopy> to;
    {
      const MutexLock lock(mutex);
      to = copy.lock();
      if (to == nullptr) waiting = seen;
    }
    if (to != nullptr) to->record_seen(seen);
  }
  void begin(const std::shared_ptr<ReplicatedCopy>& opened) {
    std::optional<RecordSeen> first;
    {
      const MutexLock lock(mutex);
      copy = opened;
      first.swap(waiting);
    }
    if (first) opened->record_seen(*first);
  }

  Mutex mutex;
  std::weak_ptr<ReplicatedCopy> copy QV_GUARDED_BY(mutex);
  std::optional<RecordSeen> waiting QV_GUARDED_BY(mutex);
};

CopyHost::CopyHost(Parts parts, const Options& options)
    : parts_(std::move(parts)),
      options_(options),
      keepers_(parts_.store, parts_.views, options.keepers),
      pool_(options.disk_threads),
      ticker_(options.copy.rules.tick) {}

CopyHost::~CopyHost() {
  close();
}

Status CopyHost::start() {
  QV_CHECK(options_.copy.rules.check());
  const MutexLock lock(mutex_);
  if (closed_) return stopping();
  if (exchange_ != nullptr) return Done{};
  QV_TRY(exchange_, CopyExchange::open({parts_.peer, parts_.shards, parts_.self, parts_.outgoing},
                                       options_.exchange));
  ticker_.add(exchange_);
  moved_ = true;
  thread_ = std::thread([this] { work(); });
  return Done{};
}

std::shared_ptr<CopyExchange> CopyHost::exchange() const {
  const MutexLock lock(mutex_);
  return exchange_;
}

void CopyHost::changed() {
  keepers_.look();
  const MutexLock lock(mutex_);
  moved_ = true;
  wake_.notify_all();
}

void CopyHost::close() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    wake_.notify_all();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
  if (const auto ways = exchange()) ways->close();
  std::map<storage::ShardPlace, Hosting> all;
  {
    const MutexLock lock(mutex_);
    all.swap(hosted_);
  }
  for (const auto& [unused, hosted] : all) shut(hosted);
  keepers_.close();
}

void CopyHost::work() {
  while (true) {
    {
      const auto until = std::chrono::steady_clock::now() + kLookEvery;
      const MutexLock lock(mutex_);
      while (!moved_ && !closed_ && wake_.wait_until(mutex_, until)) {
      }
      if (closed_) return;
      moved_ = false;
    }
    close_failed();
    // What failed is tried again, though nothing has changed.
    reconcile();
    purge_expired();
  }
}

// -- what is here, and what should be

std::map<storage::ShardPlace, CopyHost::Wanted> CopyHost::wanted(const ClusterView& view) const {
  std::map<storage::ShardPlace, Wanted> out;
  for (const auto& [id, collection] : view.collections_by_id) {
    if (collection->spec.replication_factor < 2) continue;
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      const auto& state = collection->shards[i];
      for (const auto& [copy, place] : state.copies) {
        if (place.node != parts_.self) continue;
        const bool counted = std::binary_search(state.in_sync.begin(), state.in_sync.end(), copy);
        out.emplace(storage::ShardPlace{id, ShardId{i}, copy},
                    Wanted{collection.get(), place.state == CopyState::New && !counted});
      }
    }
  }
  return out;
}

void CopyHost::reconcile() {
  const auto view = parts_.views.current();
  const auto should = wanted(*view);
  bool idle = false;
  {
    const MutexLock lock(retired_mutex_);
    idle = retired_.empty();
  }
  {
    const MutexLock lock(mutex_);
    std::erase_if(forgotten_,
                  [&](const auto& id) { return !view->collections_by_id.contains(id); });
    const auto now = std::chrono::steady_clock::now();
    idle = idle && complete_ && std::all_of(should.begin(), should.end(), [&](const auto& one) {
             const auto found = hosted_.find(one.first);
             return found != hosted_.end() &&
                    (found->second->copy != nullptr || now < found->second->again);
           });
  }
  if (idle) return;
  const auto stored = parts_.shards.copies();
  if (!stored.ok()) {
    QV_LOG_WARN("copies_not_listed error=\"{}\" remedy=retried", stored.error().message);
    return;
  }
  const std::set<storage::ShardPlace> on_disk(stored->begin(), stored->end());
  remove_unused(*view, on_disk);
  open_missing(should, on_disk);
  const MutexLock lock(mutex_);
  complete_ = true;
}

void CopyHost::open_missing(const std::map<storage::ShardPlace, Wanted>& wanted,
                            const std::set<storage::ShardPlace>& on_disk) {
  for (const auto& [place, how] : wanted) {
    if (is_retired(place)) continue;
    {
      const MutexLock lock(mutex_);
      if (closed_) return;
      if (forgotten_.contains(place.collection)) continue;
      const auto found = hosted_.find(place);
      const bool due =
          found == hosted_.end() || (found->second->copy == nullptr &&
                                     found->second->again <= std::chrono::steady_clock::now());
      if (!due) continue;
    }
    // Without its files a copy that others count on is lost; an empty one would pass for it.
    if (!on_disk.contains(place) && !how.fresh) continue;
    open_copy(place, how, on_disk.contains(place));
  }
}

void CopyHost::open_copy(const storage::ShardPlace& place, const Wanted& wanted, bool on_disk) {
  const MutexLock opening(opening_);
  const auto& spec = wanted.collection->spec;
  const auto opened = [&]() -> Result<Hosting> {
    if (!on_disk) {
      const auto seen = parts_.views.shard_record(place.collection, place.shard, Revision{0});
      if (!seen || !seen->state.copies.contains(place.copy)) {
        return Error{ErrorCode::Unavailable, "the shard's record has changed"};
      }
      QV_CHECK(CopyDisk::make({parts_.shards, spec, place.shard, place.copy}, seen->revision));
    }
    return try_open(place, spec);
  }();
  const MutexLock lock(mutex_);
  if (opened.ok()) {
    hosted_[place] = *opened;
    return;
  }
  auto& failed = hosted_[place];
  if (failed == nullptr) failed = std::make_shared<Hosted>();
  failed->why = opened.error();
  failed->again = std::chrono::steady_clock::now() + options_.reopen_after;
  QV_LOG_WARN("copy_not_opened collection={} shard={} copy={} error=\"{}\" remedy=retried",
              spec.name, raw(place.shard), place.copy.text, opened.error().message);
}

Result<CopyHost::Hosting> CopyHost::try_open(const storage::ShardPlace& place,
                                             const CollectionSpec& spec) {
  const auto ways = exchange();
  auto hosted = std::make_shared<Hosted>();
  hosted->news = std::make_shared<News>();
  hosted->keeper =
      keepers_.follow(place.collection, place.shard,
                      [news = hosted->news](const RecordSeen& seen) { news->tell(seen); });
  const ReplicatedCopy::Parts parts{pool_, *ways, *hosted->keeper, rules_,
                                    [this, place] { retire(place); }};
  QV_TRY(hosted->copy, ReplicatedCopy::open({parts_.shards, spec, place.shard, place.copy}, parts,
                                            options_.copy));
  hosted->news->begin(hosted->copy);
  ways->add(hosted->copy);
  ticker_.add(hosted->copy);
  QV_LOG_INFO("copy_opened collection={} shard={} copy={}", spec.name, raw(place.shard),
              place.copy.text);
  return hosted;
}

void CopyHost::remove_unused(const ClusterView& view,
                             const std::set<storage::ShardPlace>& on_disk) {
  std::set<storage::ShardPlace> gone;
  bool first = false;
  {
    const MutexLock lock(retired_mutex_);
    gone.swap(retired_);
  }
  {
    const MutexLock lock(mutex_);
    first = !complete_;
  }
  for (const auto& place : gone) remove(place, "given up");
  if (!first) return;
  // What its record gave up while this server was down.
  for (const auto& place : on_disk) {
    const auto found = view.collections_by_id.find(place.collection);
    if (found == view.collections_by_id.end()) continue;
    const auto& collection = *found->second;
    if (collection.spec.replication_factor < 2 || raw(place.shard) >= collection.shards.size()) {
      continue;
    }
    if (!collection.shards[raw(place.shard)].copies.contains(place.copy)) {
      remove(place, "given up while this server was down");
    }
  }
}

void CopyHost::remove(const storage::ShardPlace& place, const char* why) {
  if (const auto hosted = take(place)) shut(hosted);
  auto buried = parts_.shards.bury(place);
  if (buried.ok()) buried = parts_.shards.sweep();
  if (buried.ok()) {
    QV_LOG_INFO("copy_removed {} why=\"{}\"", named(place), why);
    return;
  }
  QV_LOG_WARN("copy_left {} error=\"{}\" remedy=retried", named(place), buried.error().message);
  retire(place);
}

bool CopyHost::is_retired(const storage::ShardPlace& place) {
  const MutexLock lock(retired_mutex_);
  return retired_.contains(place);
}

void CopyHost::retire(const storage::ShardPlace& place) {
  const MutexLock lock(retired_mutex_);
  retired_.insert(place);
}

CopyHost::Hosting CopyHost::take(const storage::ShardPlace& place) {
  const MutexLock lock(mutex_);
  const auto found = hosted_.find(place);
  if (found == hosted_.end()) return nullptr;
  auto hosted = std::move(found->second);
  hosted_.erase(found);
  return hosted;
}

void CopyHost::shut(const Hosting& hosted) {
  if (hosted->copy == nullptr) return;
  exchange()->remove(hosted->copy->id());
  hosted->copy->close();
  // Those who use it were told; its keeper must outlive it.
  const std::weak_ptr<ReplicatedCopy> last = hosted->copy;
  hosted->copy.reset();
  while (!last.expired()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  hosted->keeper.reset();
}

void CopyHost::close_failed() {
  std::vector<std::pair<storage::ShardPlace, Hosting>> failed;
  {
    const MutexLock lock(mutex_);
    for (const auto& [place, hosted] : hosted_) {
      if (hosted->copy && hosted->copy->status().role == Role::Failed) {
        failed.emplace_back(place, hosted);
      }
    }
    for (const auto& [place, unused] : failed) {
      auto& instead = hosted_[place] = std::make_shared<Hosted>();
      instead->why = {ErrorCode::Unavailable, "its disk failed; it is opened anew"};
      instead->again = std::chrono::steady_clock::now() + options_.reopen_after;
    }
  }
  for (const auto& [place, hosted] : failed) {
    QV_LOG_WARN("copy_failed {} remedy=\"opened anew\"", named(place));
    shut(hosted);
  }
}

void CopyHost::forget_collection(const std::string& collection_id) {
  // Not while one of them is being opened.
  const MutexLock opening(opening_);
  std::vector<Hosting> mine;
  {
    const MutexLock lock(mutex_);
    forgotten_.insert(collection_id);
    for (auto it = hosted_.begin(); it != hosted_.end();) {
      if (it->first.collection != collection_id) {
        ++it;
        continue;
      }
      mine.push_back(std::move(it->second));
      it = hosted_.erase(it);
    }
  }
  {
    const MutexLock lock(retired_mutex_);
    std::erase_if(retired_, [&](const auto& place) { return place.collection == collection_id; });
  }
  for (const auto& hosted : mine) shut(hosted);
}

// -- callers

Status CopyHost::make(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  const MutexLock opening(opening_);
  {
    const MutexLock lock(mutex_);
    if (closed_) return stopping();
    if (exchange_ == nullptr) {
      return Error{ErrorCode::Unavailable,
                   "this server takes no writes yet; try again when it has entered its cluster"};
    }
    if (hosted_.contains({spec.id, shard, copy})) return Done{};
  }
  return CopyDisk::make({parts_.shards, spec, shard, copy}, kBornWithShard);
}

Result<std::shared_ptr<ReplicatedCopy>> CopyHost::find(const storage::ShardPlace& place) const {
  const MutexLock lock(mutex_);
  if (closed_) return stopping();
  const auto found = hosted_.find(place);
  if (found == hosted_.end()) {
    if (!complete_) {
      return Error{ErrorCode::Unavailable, "this server is opening its copies; try again"};
    }
    return Error{ErrorCode::WrongOwner, "this server does not hold " + named(place)};
  }
  const auto& hosted = *found->second;
  if (hosted.copy != nullptr) return hosted.copy;
  return Error{ErrorCode::Unavailable, named(place) + " cannot be used now: " + hosted.why.message};
}

std::optional<CopyHost::Known> CopyHost::known(const storage::ShardPlace& place) const {
  const auto copy = find(place);
  if (!copy.ok()) return std::nullopt;
  const auto shard = (*copy)->shard();
  if (shard == nullptr) return std::nullopt;
  return Known{shard->stats(), (*copy)->status()};
}

Result<std::vector<thrift::CopyPosition>> CopyHost::positions(
    std::span<const thrift::CopyName> copies) {
  // What is on the disk, and not open yet, is not absent.
  QV_TRY(const auto stored, parts_.shards.copies());
  std::vector<thrift::CopyPosition> out;
  const Error opening{ErrorCode::Unavailable, "this server is opening its copies; try again"};
  const MutexLock lock(mutex_);
  if (!complete_ || closed_) return opening;
  for (const auto& name : copies) {
    const storage::ShardPlace place{name.collection, name.shard, name.copy};
    const auto found = hosted_.find(place);
    if (found != hosted_.end()) {
      out.push_back(position_of(*found->second));
    } else if (std::binary_search(stored.begin(), stored.end(), place)) {
      return opening;
    } else {
      out.push_back({thrift::CopyCondition::Absent, false, false, Term{0}, {}, Seq{0}});
    }
  }
  return out;
}

thrift::CopyPosition CopyHost::position_of(const Hosted& hosted) {
  thrift::CopyPosition position;
  position.condition = thrift::CopyCondition::Failed;
  if (hosted.copy == nullptr) return position;
  const auto status = hosted.copy->status();
  if (status.role != Role::Failed) position.condition = thrift::CopyCondition::Works;
  position.serves = status.serving;
  position.hears = status.hears;
  position.seen = status.seen;
  position.last = status.durable;
  position.applied = status.applied;
  return position;
}

Status CopyHost::direct(const thrift::CopyName& primary, const thrift::PrimaryOrder& order) {
  const auto copy = find({primary.collection, primary.shard, primary.copy});
  if (!copy.ok()) return Error{ErrorCode::NotFound, copy.error().message};
  if (order.kind == thrift::PrimaryOrder::Kind::HandOff) {
    (*copy)->hand_off(order.copy);
  } else {
    (*copy)->drop(order.copy);
  }
  return Done{};
}

std::vector<std::shared_ptr<ReplicatedCopy>> CopyHost::open_copies() const {
  std::vector<std::shared_ptr<ReplicatedCopy>> out;
  const MutexLock lock(mutex_);
  for (const auto& [unused, hosted] : hosted_) {
    if (hosted->copy != nullptr) out.push_back(hosted->copy);
  }
  return out;
}

void CopyHost::purge_expired() {
  const auto now_ms = parts_.clock.wall_ms();
  for (auto& copy : open_copies()) {
    const auto held = std::move(copy);
    if (!held->status().serving) continue;
    std::vector<PointId> ids;
    if (const auto shard = held->shard()) ids = shard->expired(now_ms, kPurgePointsMax);
    if (ids.empty()) continue;
    CallContext call;
    call.deadline = std::chrono::steady_clock::now() + kPurgePatience;
    const auto purged = held->write(call, Mutation{EraseExpired{std::move(ids), now_ms}});
    if (!purged.ok() && purged.error().code != ErrorCode::DeadlineExceeded) {
      QV_LOG_WARN("purge_failed error=\"{}\"", purged.error().message);
    }
  }
}

}  // namespace quiver::cluster::replication
