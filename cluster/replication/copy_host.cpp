#include "cluster/replication/copy_host.h"

#include <algorithm>
#include <atomic>
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
      ticker_(options.copy.rules.tick),
      audit_({[this] { return serving(); },
              [this](const storage::ShardPlace& place) { return find(place); }, parts_.peer,
              parts_.self, parts_.clock},
             options.audit) {}

CopyHost::~CopyHost() {
  close();
}

Status CopyHost::start() {
  QV_CHECK(options_.copy.rules.check());
  if (exchange() != nullptr) return Done{};
  QV_TRY(std::shared_ptr<CopyExchange> ways,
         CopyExchange::open({parts_.peer, parts_.shards, parts_.self, parts_.outgoing},
                            options_.exchange));
  const MutexLock lock(mutex_);
  if (closed_) return stopping();
  exchange_ = std::move(ways);
  ticker_.add(exchange_);
  moved_ = true;
  thread_ = std::thread([this] { work(); });
  audit_.start();
  return Done{};
}

std::shared_ptr<CopyExchange> CopyHost::exchange() const {
  const MutexLock lock(mutex_);
  return exchange_;
}

void CopyHost::changed() {
  keepers_.look();
  copy_changed();
}

void CopyHost::copy_changed() {
  const MutexLock lock(mutex_);
  moved_ = true;
  ++changes_;
  wake_.notify_all();
}

std::optional<CopyId> CopyHost::heir_of(const ReplicatedCopy& copy,
                                        const CopyStatus& status) const {
  const auto view = parts_.views.current();
  for (const auto& id : status.record.in_sync) {
    const auto place = status.record.copies.find(id);
    if (id == copy.id() || place == status.record.copies.end()) continue;
    const auto* const node = view->find_node(place->second.node);
    if (node != nullptr && node->alive) return id;
  }
  return std::nullopt;
}

void CopyHost::resign(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (true) {
    std::uint64_t seen = 0;
    {
      const MutexLock lock(mutex_);
      seen = changes_;
    }
    // Also those that were asked before: they may have had something else to do.
    if (!ask_heirs()) return;
    const MutexLock lock(mutex_);
    while (changes_ == seen && wake_.wait_until(mutex_, until)) {
    }
    if (changes_ == seen || std::chrono::steady_clock::now() >= until) return;
  }
}

bool CopyHost::ask_heirs() {
  bool any = false;
  for (const auto& copy : open_copies()) {
    const auto status = copy->status();
    if (status.role != Role::Primary) continue;
    const auto heir = heir_of(*copy, status);
    if (!heir) continue;
    any = true;
    copy->hand_off(*heir);
  }
  return any;
}

void CopyHost::close() {
  audit_.stop();
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
    const auto now = std::chrono::steady_clock::now();
    if (now < purge_due_) continue;
    purge_expired();
    purge_due_ = now + kLookEvery;
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
  {
    const MutexLock lock(mutex_);
    std::erase_if(forgotten_,
                  [&](const auto& id) { return !view->collections_by_id.contains(id); });
  }
  remove_retired();
  if (!list_stored()) return;
  open_all(due(*view, wanted(*view)));
  const MutexLock lock(mutex_);
  complete_ = true;
}

bool CopyHost::list_stored() {
  {
    const MutexLock lock(mutex_);
    if (listed_) return true;
  }
  const auto stored = parts_.shards.copies();
  if (!stored.ok()) {
    QV_LOG_WARN("copies_not_listed error=\"{}\" remedy=retried", stored.error().message);
    return false;
  }
  const MutexLock lock(mutex_);
  stored_.insert(stored->begin(), stored->end());
  listed_ = true;
  return true;
}

std::vector<CopyHost::Due> CopyHost::due(const ClusterView& view,
                                         const std::map<storage::ShardPlace, Wanted>& wanted) {
  std::vector<Due> out;
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  const auto is_due = [&](const storage::ShardPlace& place) QV_REQUIRES(mutex_) {
    if (forgotten_.contains(place.collection)) return false;
    const auto found = hosted_.find(place);
    return found == hosted_.end() ||
           (found->second->copy == nullptr && found->second->again <= now);
  };
  for (const auto& [place, how] : wanted) {
    // Without its files a copy that others count on is lost; an empty one would pass for it.
    const bool there = stored_.contains(place);
    if ((there || how.fresh) && is_due(place)) out.push_back({place, how.collection, there});
  }
  // Those that no record names find out by themselves whether it is theirs that is outdated.
  for (const auto& place : stored_) {
    const auto found = view.collections_by_id.find(place.collection);
    if (found == view.collections_by_id.end() || wanted.contains(place)) continue;
    const auto& spec = found->second->spec;
    if (spec.replication_factor < 2 || raw(place.shard) >= spec.shard_count) continue;
    if (is_due(place)) out.push_back({place, found->second.get(), true});
  }
  return out;
}

void CopyHost::open_all(const std::vector<Due>& due) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (auto i = next++; i < due.size(); i = next++) open_copy(due[i]);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(options_.opening_threads, due.size()); ++i) {
    others.emplace_back(work);
  }
  work();
  for (auto& other : others) other.join();
}

bool CopyHost::begin_opening(const storage::ShardPlace& place) {
  const MutexLock lock(mutex_);
  while (opening_.contains(place) && !closed_) wake_.wait(mutex_);
  if (closed_ || forgotten_.contains(place.collection)) return false;
  opening_.insert(place);
  return true;
}

void CopyHost::end_opening(const storage::ShardPlace& place) {
  const MutexLock lock(mutex_);
  opening_.erase(place);
  wake_.notify_all();
}

void CopyHost::open_copy(const Due& due) {
  if (!begin_opening(due.place)) return;
  const auto& place = due.place;
  const auto& spec = due.collection->spec;
  const auto opened = [&]() -> Result<Hosting> {
    if (!due.on_disk) {
      const auto seen = parts_.views.shard_record(place.collection, place.shard, Revision{0});
      if (!seen || !seen->state.copies.contains(place.copy)) {
        return Error{ErrorCode::Unavailable, "the shard's record has changed"};
      }
      QV_CHECK(make_files(place, spec, seen->revision));
    }
    return try_open(place, spec);
  }();
  if (opened.ok()) {
    const MutexLock lock(mutex_);
    hosted_[place] = *opened;
  } else {
    note_failure(due, opened.error());
  }
  end_opening(place);
}

CopyDisk::Place CopyHost::disk_place(const storage::ShardPlace& place, const CollectionSpec& spec) {
  return {parts_.shards, spec, place.shard, place.copy, parts_.wrap};
}

Status CopyHost::make_files(const storage::ShardPlace& place, const CollectionSpec& spec,
                            Revision born) {
  auto made = CopyDisk::make(disk_place(place, spec), born);
  const MutexLock lock(mutex_);
  if (made.ok()) stored_.insert(place);
  return made;
}

void CopyHost::note_failure(const Due& due, const Error& why) {
  const auto& place = due.place;
  QV_LOG_WARN("copy_not_opened collection={} shard={} copy={} error=\"{}\" remedy=retried",
              due.collection->spec.name, raw(place.shard), place.copy.text, why.message);
  const auto seen = parts_.views.shard_record(place.collection, place.shard, Revision{0});
  // It cannot find out by itself, and what is left of it is of no use to anybody.
  const bool hopeless = why.code == ErrorCode::Corruption && parts_.views.is_attached() && seen &&
                        !seen->state.copies.contains(place.copy);
  if (hopeless) retire(place);
  const MutexLock lock(mutex_);
  auto failed = std::make_shared<Hosted>();
  failed->why = why;
  failed->again = std::chrono::steady_clock::now() + options_.reopen_after;
  hosted_[place] = std::move(failed);
}

Result<CopyHost::Hosting> CopyHost::try_open(const storage::ShardPlace& place,
                                             const CollectionSpec& spec) {
  const auto ways = exchange();
  auto hosted = std::make_shared<Hosted>();
  hosted->news = std::make_shared<News>();
  hosted->keeper =
      keepers_.follow(place.collection, place.shard,
                      [news = hosted->news](const RecordSeen& seen) { news->tell(seen); });
  hosted->ending = std::make_shared<Ending>();
  const ReplicatedCopy::Parts parts{pool_,
                                    *ways,
                                    *hosted->keeper,
                                    rules_,
                                    [this, place] { retire(place); },
                                    [this] { copy_changed(); },
                                    hosted->ending};
  QV_TRY(hosted->copy, ReplicatedCopy::open(disk_place(place, spec), parts, options_.copy));
  hosted->news->begin(hosted->copy);
  ways->add(hosted->copy);
  ticker_.add(hosted->copy);
  QV_LOG_INFO("copy_opened collection={} shard={} copy={}", spec.name, raw(place.shard),
              place.copy.text);
  return hosted;
}

void CopyHost::remove_retired() {
  std::set<storage::ShardPlace> gone;
  {
    const MutexLock lock(retired_mutex_);
    gone.swap(retired_);
  }
  for (const auto& place : gone) remove(place, "given up");
}

void CopyHost::remove(const storage::ShardPlace& place, const char* why) {
  if (const auto hosted = take(place)) shut(hosted);
  auto buried = parts_.shards.bury(place);
  if (buried.ok()) {
    const MutexLock lock(mutex_);
    stored_.erase(place);
  }
  if (buried.ok()) buried = parts_.shards.sweep();
  if (buried.ok()) {
    QV_LOG_INFO("copy_removed {} why=\"{}\"", named(place), why);
    return;
  }
  QV_LOG_WARN("copy_left {} error=\"{}\" remedy=retried", named(place), buried.error().message);
  retire(place);
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
  hosted->copy.reset();
  hosted->ending->await();
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
  const auto is_mine = [&](const storage::ShardPlace& place) {
    return place.collection == collection_id;
  };
  std::vector<Hosting> mine;
  {
    const MutexLock lock(mutex_);
    forgotten_.insert(collection_id);
    while (std::any_of(opening_.begin(), opening_.end(), is_mine)) wake_.wait(mutex_);
    std::erase_if(stored_, is_mine);
    for (auto it = hosted_.begin(); it != hosted_.end();) {
      if (!is_mine(it->first)) {
        ++it;
        continue;
      }
      mine.push_back(std::move(it->second));
      it = hosted_.erase(it);
    }
  }
  {
    const MutexLock lock(retired_mutex_);
    std::erase_if(retired_, is_mine);
  }
  for (const auto& hosted : mine) shut(hosted);
}

// -- callers

Status CopyHost::make(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  const storage::ShardPlace place{spec.id, shard, copy};
  if (exchange() == nullptr) {
    return Error{ErrorCode::Unavailable,
                 "this server takes no writes yet; try again when it has entered its cluster"};
  }
  if (!begin_opening(place)) return stopping();
  const bool open = find(place).ok();
  auto made = open ? Status(Done{}) : make_files(place, spec, kBornWithShard);
  end_opening(place);
  return made;
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
  std::vector<thrift::CopyPosition> out;
  const Error opening{ErrorCode::Unavailable, "this server is opening its copies; try again"};
  const MutexLock lock(mutex_);
  if (!complete_ || closed_) return opening;
  for (const auto& name : copies) {
    const storage::ShardPlace place{name.collection, name.shard, name.copy};
    const auto found = hosted_.find(place);
    if (found != hosted_.end()) {
      auto& position = out.emplace_back(position_of(*found->second));
      if (exchange_ == nullptr) continue;
      const auto fetched = exchange_->fetched(name.copy);
      position.bytes_fetched = fetched.bytes_done;
      position.bytes_total = fetched.bytes_total;
    } else if (stored_.contains(place)) {
      // What is on the disk, and not open yet, is not absent.
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

Result<ContentSums> CopyHost::content_sums(const CallContext& call, const thrift::CopyName& copy) {
  return audit_.sums(call, {copy.collection, copy.shard, copy.copy});
}

std::vector<storage::ShardPlace> CopyHost::serving() const {
  std::vector<storage::ShardPlace> out;
  const MutexLock lock(mutex_);
  for (const auto& [place, hosted] : hosted_) {
    if (hosted->copy != nullptr && hosted->copy->status().serving) out.push_back(place);
  }
  return out;
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
