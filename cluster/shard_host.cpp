#include "cluster/shard_host.h"

#include <chrono>
#include <utility>
#include <vector>

#include "core/log.h"

namespace quiver::cluster {
namespace {

constexpr std::chrono::seconds kHousekeepingEvery{1};
// Expired points that one write takes: keeps its log entry small.
constexpr std::size_t kPurgePointsMax = 1000;
// While its writes are held back a copy can wait with its expired points.
constexpr std::chrono::milliseconds kPurgePatience{100};
// For a look through the files of a copy.
constexpr std::chrono::milliseconds kKnownPatience{500};
// A decision takes milliseconds, unless those who decide cannot be reached.
constexpr std::chrono::seconds kBlockPatience{2};

}  // namespace

/// Guarded by the host's mutex, but for what `replica` points to.
struct ShardHost::Use::Copy {
  explicit Copy(storage::ShardPlace which) : place(std::move(which)) {}

  const storage::ShardPlace place;
  std::unique_ptr<LocalReplica> replica;
  std::size_t users = 0;
  /// Number of the latest use.
  std::uint64_t last_use = 0;
  /// One thread is opening or closing it; the others wait.
  bool busy = false;
  bool retired = false;
  /// Where the shard will be is being decided.
  bool blocked = false;
  /// What was in it when it was closed.
  std::optional<Known> known;
};

ShardHost::Use::Use(ShardHost& host, std::shared_ptr<Copy> copy)
    : host_(&host), copy_(std::move(copy)) {}

ShardHost::Use::~Use() {
  let_go();
}

ShardHost::Use::Use(Use&& other) noexcept
    : host_(std::exchange(other.host_, nullptr)), copy_(std::move(other.copy_)) {}

ShardHost::Use& ShardHost::Use::operator=(Use&& other) noexcept {
  if (this == &other) return *this;
  let_go();
  host_ = std::exchange(other.host_, nullptr);
  copy_ = std::move(other.copy_);
  return *this;
}

LocalReplica& ShardHost::Use::operator*() const noexcept {
  // Set before the first use, and not closed while there is one.
  return *copy_->replica;
}

void ShardHost::Use::let_go() noexcept {
  if (host_ == nullptr) return;
  {
    const std::lock_guard lock(host_->mutex_);
    --copy_->users;
  }
  host_->changed_.notify_all();
  host_ = nullptr;
  copy_.reset();
}

ShardHost::ShardHost(storage::ShardStore& store, const Clock& clock, const Options& options)
    : store_(store), clock_(clock), options_(options), housekeeper_([this] { keep_house(); }) {}

ShardHost::~ShardHost() {
  close();
}

Result<ShardHost::Use> ShardHost::use(const CollectionSpec& spec, ShardId shard,
                                      const CopyId& copy) {
  return acquire(spec, {spec.id, shard, copy}, false);
}

Status ShardHost::create(const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  QV_TRY(const auto made, acquire(spec, {spec.id, shard, copy}, true));
  return Done{};
}

Result<ShardHost::Use> ShardHost::acquire(const CollectionSpec& spec,
                                          const storage::ShardPlace& place, bool make) {
  std::unique_lock lock(mutex_);
  if (make) QV_CHECK(writable());
  if (restriction_ && restriction_->doubtful.contains(place)) {
    return Error{ErrorCode::Unavailable,
                 "shard " + std::to_string(raw(place.shard)) +
                     " was being moved when this server ended: " + restriction_->why};
  }
  auto& known = copies_[place];
  if (!known) known = std::make_shared<Copy>(place);
  const auto copy = known;
  changed_.wait_for(lock, kBlockPatience,
                    [&] { return !copy->blocked || copy->retired || closed_; });
  changed_.wait(lock, [&] { return !copy->busy || copy->retired || closed_; });
  if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping; try again later"};
  if (copy->retired) {
    return Error{ErrorCode::WrongOwner, "this copy of the shard has been given up"};
  }
  if (copy->blocked) {
    return Error{ErrorCode::Unavailable, "the shard is changing servers; try again"};
  }
  if (copy->replica && copy->replica->shard().heals_when_opened()) {
    copy->busy = true;
    changed_.wait(lock, [&] { return copy->users == 0; });
    shut(lock, copy);
    QV_LOG_INFO("shard_reopened collection={} shard={} reason=\"there is room again\"", spec.name,
                raw(place.shard));
  }
  if (!copy->replica) {
    copy->busy = true;
    lock.unlock();
    auto opened = open(spec, place, make);
    lock.lock();
    copy->busy = false;
    changed_.notify_all();
    if (!opened.ok()) return std::move(opened).error();
    copy->replica = std::move(opened).value();
    if (++open_ > options_.open_max) wake_.notify_all();
  }
  ++copy->users;
  copy->last_use = ++uses_;
  return Use(*this, copy);
}

Result<std::unique_ptr<LocalReplica>> ShardHost::open(const CollectionSpec& spec,
                                                      const storage::ShardPlace& place, bool make) {
  try {
    auto shard = make ? store_.create(spec, place.shard, place.copy)
                      : store_.open(spec, place.shard, place.copy);
    if (!shard.ok()) return std::move(shard).error();
    return LocalReplica::open(std::move(shard).value());
  } catch (const std::exception& problem) {
    // Out of memory, at worst; the others must not wait for this thread for ever.
    return Error{ErrorCode::Internal, std::string("cannot open a shard: ") + problem.what()};
  }
}

ShardHost::Known ShardHost::known_of(LocalReplica& replica) {
  return {replica.shard().stats(), replica.shard().tail()};
}

std::optional<ShardHost::Known> ShardHost::known(const storage::ShardPlace& place) {
  Use use;
  {
    std::unique_lock lock(mutex_);
    const auto found = copies_.find(place);
    if (found == copies_.end()) return std::nullopt;
    const auto copy = found->second;
    // While one is being closed, what is in it is about to be known.
    changed_.wait_for(lock, kKnownPatience, [&] { return !copy->busy || !copy->replica; });
    if (!copy->replica || copy->busy || copy->retired) return copy->known;
    ++copy->users;
    use = Use(*this, copy);
  }
  return known_of(*use);
}

void ShardHost::shut(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Copy>& copy) {
  if (!copy->replica) return;
  copy->busy = true;
  --open_;
  lock.unlock();
  const Known last = known_of(*copy->replica);
  lock.lock();
  copy->known = last;
  auto replica = std::move(copy->replica);
  changed_.notify_all();
  lock.unlock();
  replica.reset();
  lock.lock();
  copy->busy = false;
  changed_.notify_all();
}

void ShardHost::retire(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Copy>& copy) {
  copy->retired = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !copy->busy; });
  if (copy->replica) copy->replica->retire();
  changed_.wait(lock, [&] { return copy->users == 0 && !copy->busy; });
  shut(lock, copy);
}

Status ShardHost::drop(const storage::ShardPlace& place) {
  {
    std::unique_lock lock(mutex_);
    if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping"};
    QV_CHECK(writable());
    auto& known = copies_[place];
    if (!known) known = std::make_shared<Copy>(place);
    const auto copy = known;
    retire(lock, copy);
  }
  auto buried = store_.bury(place);
  {
    const std::lock_guard lock(mutex_);
    copies_.erase(place);
  }
  QV_CHECK(std::move(buried));
  return store_.sweep();
}

Status ShardHost::drop_collection(const std::string& collection_id) {
  {
    std::unique_lock lock(mutex_);
    if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping"};
    QV_CHECK(writable());
    std::vector<std::shared_ptr<Copy>> mine;
    for (const auto& [place, copy] : copies_) {
      if (place.collection == collection_id) mine.push_back(copy);
    }
    for (const auto& copy : mine) retire(lock, copy);
    for (const auto& copy : mine) copies_.erase(copy->place);
  }
  QV_CHECK(store_.bury_collection(collection_id));
  return store_.sweep();
}

void ShardHost::restrict(std::string why, std::set<storage::ShardPlace> doubtful) {
  const std::lock_guard lock(mutex_);
  restriction_ = Restriction{std::move(why), std::move(doubtful)};
}

void ShardHost::lift() {
  const std::lock_guard lock(mutex_);
  restriction_.reset();
}

Status ShardHost::check_writable() const {
  const std::lock_guard lock(mutex_);
  return writable();
}

Status ShardHost::writable() const {
  if (restriction_) return Error{ErrorCode::Unavailable, restriction_->why};
  return Done{};
}

void ShardHost::block(const storage::ShardPlace& place) {
  const std::lock_guard lock(mutex_);
  if (const auto known = copies_.find(place); known != copies_.end()) known->second->blocked = true;
}

void ShardHost::unblock(const storage::ShardPlace& place) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = copies_.find(place);
    if (known != copies_.end()) known->second->blocked = false;
  }
  changed_.notify_all();
}

std::size_t ShardHost::open_copies() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool ShardHost::purge_expired() {
  std::vector<Use> open;
  {
    const std::lock_guard lock(mutex_);
    if (restriction_) return false;
    for (const auto& [unused, copy] : copies_) {
      if (!copy->replica || copy->busy || copy->retired) continue;
      ++copy->users;
      open.push_back(Use(*this, copy));
    }
  }
  bool more = false;
  for (auto& use : open) {
    more = purge(*use) || more;
    use = {};
  }
  return more;
}

bool ShardHost::purge(LocalReplica& replica) {
  const auto now_ms = clock_.wall_ms();
  auto ids = replica.shard().expired(now_ms, kPurgePointsMax);
  if (ids.empty()) return false;
  const bool full = ids.size() == kPurgePointsMax;
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kPurgePatience;
  const auto purged = replica.write(call, Mutation{EraseExpired{std::move(ids), now_ms}});
  if (purged.ok()) {
    // Nothing went: then a further round would not get on either.
    return full && purged->affected > 0;
  }
  if (purged.error().code != ErrorCode::DeadlineExceeded) {
    QV_LOG_WARN("purge_failed error=\"{}\"", purged.error().message);
  }
  return false;
}

std::shared_ptr<ShardHost::Copy> ShardHost::idle_longest() const {
  std::shared_ptr<Copy> longest;
  for (const auto& [unused, copy] : copies_) {
    if (!copy->replica || copy->users != 0 || copy->busy) continue;
    if (!longest || copy->last_use < longest->last_use) longest = copy;
  }
  return longest;
}

void ShardHost::close_idle() {
  std::unique_lock lock(mutex_);
  while (open_ > options_.open_max) {
    const auto copy = idle_longest();
    if (!copy) return;
    shut(lock, copy);
  }
}

void ShardHost::keep_house() {
  // What a crash left; to remove many files takes seconds, which the first call should not wait.
  if (const auto swept = store_.sweep(); !swept.ok()) {
    QV_LOG_WARN("trash_left error=\"{}\" remedy=retried_at_start", swept.error().message);
  }
  std::unique_lock lock(mutex_);
  auto pause = kHousekeepingEvery;
  bool crowded = false;
  while (!closed_) {
    // While all of too many copies are in use, there is nothing to do until one is let go.
    wake_.wait_for(lock, pause, [&] { return closed_ || (!crowded && open_ > options_.open_max); });
    if (closed_) return;
    lock.unlock();
    close_idle();
    // One round after another while there is a backlog; writes and closing come in between.
    pause = purge_expired() ? std::chrono::seconds(0) : kHousekeepingEvery;
    lock.lock();
    crowded = open_ > options_.open_max;
  }
}

void ShardHost::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
  changed_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  std::unique_lock lock(mutex_);
  std::vector<std::shared_ptr<Copy>> all;
  for (const auto& [unused, copy] : copies_) all.push_back(copy);
  for (const auto& copy : all) retire(lock, copy);
  copies_.clear();
}

}  // namespace quiver::cluster
