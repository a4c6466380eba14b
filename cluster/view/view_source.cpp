#include "cluster/view/view_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/log.h"

namespace quiver::cluster {
namespace {

// A watch is quicker than that unless it has lost its store for a moment.
constexpr std::chrono::milliseconds kWatchPatience{200};

}  // namespace

Result<std::unique_ptr<ViewSource>> ViewSource::open(CoordinationStore& store,
                                                     const CallContext& call) {
  std::unique_ptr<ViewSource> out(new ViewSource(store));
  QV_CHECK(out->refresh(call));
  const Revision seen = out->builder_.revision();
  auto& self = *out;
  QV_TRY(out->watch_, store.watch("", seen, [&self](const WatchBatch& batch) {
    if (const auto taken = self.take(batch); !taken.ok()) {
      QV_LOG_ERROR("view_not_understood error=\"{}\"", taken.error().message);
    }
  }));
  return out;
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
  moved_.notify_all();
  const std::lock_guard lock(listener_mutex_);
  if (listener_) listener_();
  return taken;
}

Status ViewSource::refresh(const CallContext& call) {
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

void ViewSource::on_change(std::function<void()> changed) {
  const std::lock_guard lock(listener_mutex_);
  listener_ = std::move(changed);
  if (listener_) listener_();
}

}  // namespace quiver::cluster
