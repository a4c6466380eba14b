#include "cluster/cluster_home.h"

#include <chrono>
#include <set>
#include <utility>

#include "core/log.h"

namespace quiver::cluster {
namespace {

// Calls wait for other servers rather than for this one's processors.
constexpr std::size_t kFanOutThreads = 32;
// What failed is tried again, though nothing has changed.
constexpr std::chrono::seconds kTidyEvery{30};
constexpr std::chrono::seconds kTidyTime{60};

}  // namespace

ClusterHome::ClusterHome(Parts parts, std::unique_ptr<ViewSource> views, const Clock& clock)
    : parts_(std::move(parts)),
      clock_(clock),
      self_{parts_.self.id},
      views_(std::move(views)),
      shards_(parts_.facts.data_dir / "shards", parts_.storage, clock),
      host_(shards_, clock, parts_.host),
      copies_(host_, *parts_.peers, calls_, self_),
      fan_out_(kFanOutThreads),
      shard_service_(*views_, host_, self_),
      member_service_(*views_, host_, *parts_.peers, parts_.self, parts_.facts),
      detector_(*parts_.peers, calls_, self_, parts_.detector,
                [this] { return member_service_.own_state(); }) {}

Result<std::shared_ptr<ClusterHome>> ClusterHome::open(const CallContext& call, Parts parts,
                                                       const Clock& clock) {
  QV_TRY(auto views, ViewSource::open(*parts.store, call));
  std::shared_ptr<ClusterHome> out(new ClusterHome(std::move(parts), std::move(views), clock));
  auto& home = *out;
  const auto liveness = [&home](const ClusterView& view) { return home.detector_.liveness(view); };
  home.catalogue_ = std::make_unique<Catalogue>(Catalogue::Parts{
      home.store(), home.views(), home.copies_, home.fan_out_, clock, liveness, out});
  QV_TRY(home.move_source_,
         MoveSource::open({home.store(), home.views(), home.host_, home.shard_service_, clock},
                          home.self_, home.parts_.facts.data_dir / "outgoing", {}));
  QV_CHECK(home.move_source_->fence(call));
  home.mover_ = std::make_unique<Mover>(
      Mover::Parts{home.store(), home.views(), home.host_, home.shards_, clock,
                   [&home](const ClusterView& view,
                           const NodeId& node) -> Result<std::shared_ptr<thrift::NodeHandler>> {
                     QV_TRY(auto client, home.peers().client(view, node));
                     return std::shared_ptr<thrift::NodeHandler>(std::move(client));
                   }},
      home.self_, home.parts_.mover);
  home.controller_ =
      std::make_unique<Controller>(Controller::Parts{home.store(), home.views(), clock, liveness},
                                   home.self_, Controller::Options{});
  home.admin_ = std::make_unique<NodeAdmin>(
      NodeAdmin::Parts{home.store(), home.views(), home.peers(), home.fan_out_, *home.controller_,
                       clock, liveness},
      NodeAdmin::Options{});
  QV_CHECK(home.catalogue_->abandon_creations(call, home.self_));
  home.name_strays();
  {
    const MutexLock lock(home.mutex_);
    home.follower_ = std::thread([&home] { home.follow(); });
  }
  home.views_->on_change([&home] { home.tidy_soon(); });
  return out;
}

Status ClusterHome::start_moves(const CallContext& call) {
  QV_CHECK(mover_->start(call));
  controller_->start();
  return Done{};
}

ClusterHome::~ClusterHome() {
  close();
}

void ClusterHome::name_strays() const {
  const auto view = views_->current();
  const auto stored = shards_.collections();
  if (!stored.ok()) return;
  for (const auto& id : *stored) {
    if (view->collections_by_id.contains(id) || view->dropping.contains(id)) continue;
    QV_LOG_WARN("files_of_unknown_collection id={} kept_in={}", id,
                (parts_.facts.data_dir / "shards" / id).string());
  }
}

void ClusterHome::tidy_soon() {
  const MutexLock lock(mutex_);
  moved_ = true;
  changed_.notify_all();
}

bool ClusterHome::is_removed() {
  const auto member = member_service_.check_member();
  if (member.ok()) return false;
  QV_LOG_ERROR("cluster_removed error=\"{}\"", member.error().message);
  // They do not answer this server any more, which tells nothing about them.
  detector_.stop();
  if (parts_.removed) parts_.removed(member.error());
  return true;
}

void ClusterHome::follow() {
  while (true) {
    CallContext call;
    {
      const auto again = std::chrono::steady_clock::now() + kTidyEvery;
      const MutexLock lock(mutex_);
      while (!moved_ && !stopping_ && changed_.wait_until(mutex_, again)) {
      }
      if (stopping_) return;
      moved_ = false;
      under_way_ = CancelToken::make();
      call.cancel = under_way_;
    }
    call.deadline = std::chrono::steady_clock::now() + kTidyTime;
    if (is_removed()) return;
    detector_.watch(views_->current());
    catalogue_->tidy(call, self_, host_);
  }
}

void ClusterHome::close() {
  std::thread follower;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    under_way_.cancel();
    changed_.notify_all();
    follower = std::move(follower_);
  }
  views_->on_change({});
  if (follower.joinable()) follower.join();
  if (controller_) controller_->stop();
  if (mover_) mover_->stop();
  if (move_source_) move_source_->close();
  detector_.stop();
  host_.close();
}

}  // namespace quiver::cluster
