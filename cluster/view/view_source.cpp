#include "cluster/view/view_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/log.h"

namespace quiver::cluster {
namespace {

// A watch is quicker than that unless it has lost its store for a moment.
constexpr std::chrono::milliseconds kWatchPatience{200};
// How often a waiting caller looks whether it is still wanted.
constexpr std::chrono::milliseconds kCancelPoll{20};

}  // namespace

Result<std::unique_ptr<ViewSource>> ViewSource::open(CoordinationStore& store,
                                                     const CallContext& call) {
  std::unique_ptr<ViewSource> out(new ViewSource(store));
  QV_CHECK(out->attach(call));
  return out;
}

Result<std::unique_ptr<ViewSource>> ViewSource::detached(CoordinationStore& store,
                                                         const Listing& kept) {
  std::unique_ptr<ViewSource> out(new ViewSource(store));
  QV_CHECK(out->builder_.take(kept));
  out->current_ = out->builder_.build();
  return out;
}

Status ViewSource::attach(const CallContext& call) {
  if (watch_) return refresh(call);
  QV_TRY(const auto listing, store_.list(call, ""));
  // Anew: a store that was restored from a snapshot is older than what was known of it.
  ViewBuilder builder;
  QV_CHECK(builder.take(listing));
  {
    const std::lock_guard lock(mutex_);
    builder_ = std::move(builder);
    current_ = builder_.build();
    attached_ = true;
  }
  tell();
  QV_TRY(watch_, store_.watch("", listing.revision, [this](const WatchBatch& batch) {
    if (const auto taken = take(batch); !taken.ok()) {
      QV_LOG_ERROR("view_not_understood error=\"{}\"", taken.error().message);
    }
  }));
  return Done{};
}

bool ViewSource::is_attached() const {
  const std::lock_guard lock(mutex_);
  return attached_;
}

ViewSource::Map ViewSource::map() const {
  const std::lock_guard lock(mutex_);
  return {builder_.map(), current_->epoch};
}

std::optional<SeenShard> ViewSource::shard_record(std::string_view collection_id, ShardId shard,
                                                  Revision after) const {
  const std::lock_guard lock(mutex_);
  return builder_.shard_record(collection_id, shard, after);
}

ViewSource::~ViewSource() {
  watch_.reset();
}

std::shared_ptr<const ClusterView> ViewSource::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

template <typename News>
Status ViewSource::take(const News& news) {
  Status taken = Done{};
  {
    const std::lock_guard lock(mutex_);
    taken = builder_.take(news);
    current_ = builder_.build();
  }
  tell();
  return taken;
}

void ViewSource::tell() {
  moved_.notify_all();
  const std::lock_guard lock(listener_mutex_);
  if (listener_) listener_();
}

Status ViewSource::refresh(const CallContext& call) {
  if (!is_attached()) {
    return Error{ErrorCode::Unavailable,
                 "the map of the cluster is that on this server's disk: the coordination store has "
                 "not been reached since the start"};
  }
  QV_TRY(const auto listing, store_.list(call, ""));
  return take(listing);
}

Status ViewSource::await(const CallContext& call, Revision revision) {
  {
    auto until = std::chrono::steady_clock::now() + kWatchPatience;
    if (call.deadline) until = std::min(until, *call.deadline);
    std::unique_lock lock(mutex_);
    if (moved_.wait_until(lock, until, [&] { return builder_.revision() >= revision; })) {
      return Done{};
    }
  }
  return refresh(call);
}

bool ViewSource::await(const CallContext& call,
                       const std::function<bool(const ClusterView&)>& holds) {
  std::unique_lock lock(mutex_);
  while (!holds(*current_)) {
    const auto now = std::chrono::steady_clock::now();
    if (call.cancel.cancelled() || (call.deadline && now >= *call.deadline)) return false;
    auto until = now + kCancelPoll;
    if (call.deadline) until = std::min(until, *call.deadline);
    moved_.wait_until(lock, until);
  }
  return true;
}

void ViewSource::on_change(std::function<void()> changed) {
  const std::lock_guard lock(listener_mutex_);
  listener_ = std::move(changed);
  if (listener_) listener_();
}

}  // namespace quiver::cluster
