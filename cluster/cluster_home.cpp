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
// A hand-over takes two round trips and a change of the record.
constexpr std::chrono::milliseconds kResignTime{2'000};
constexpr const char* kReadsOnly =
    "this server was started while the coordination store could not be reached: it refuses writes "
    "until it has reached it, since only the store knows what has changed meanwhile";

/// With one pace for all that copies files.
ClusterHome::Parts paced(ClusterHome::Parts parts) {
  parts.mover.receive.pace = parts.paces.in;
  parts.copies.exchange.paces = parts.paces;
  return parts;
}

}  // namespace

ClusterHome::ClusterHome(Parts parts, std::unique_ptr<ViewSource> views, const Clock& clock)
    : parts_(paced(std::move(parts))),
      clock_(clock),
      self_{parts_.self.id},
      views_(std::move(views)),
      keeper_(*views_,
              {parts_.facts.data_dir, parts_.facts.cluster_id, self_, parts_.facts.coordination}),
      shards_(parts_.facts.data_dir / "shards", parts_.storage, clock),
      host_(shards_, clock, parts_.host),
      copy_host_(copy_parts(), parts_.copies),
      copies_(host_, copy_host_, *parts_.peers, calls_, self_),
      fan_out_(kFanOutThreads),
      shard_service_(*views_, host_, copy_host_, self_),
      member_service_(*views_, host_, copy_host_, *parts_.peers, parts_.self, parts_.facts),
      detector_(*parts_.peers, calls_, self_, parts_.detector,
                [this] { return member_service_.own_state(); }) {}

replication::CopyHost::Parts ClusterHome::copy_parts() {
  return {*parts_.store,
          *views_,
          shards_,
          clock_,
          self_,
          [this](const NodeId& node) -> Result<std::shared_ptr<thrift::NodeHandler>> {
            QV_TRY(auto client, peers().client(*views_->current(), node));
            return std::shared_ptr<thrift::NodeHandler>(std::move(client));
          },
          parts_.facts.data_dir / "snapshots"};
}

Result<std::shared_ptr<ClusterHome>> ClusterHome::open(Parts parts, const Listing& kept,
                                                       const Clock& clock) {
  QV_TRY(auto views, ViewSource::detached(*parts.store, kept));
  std::shared_ptr<ClusterHome> home(new ClusterHome(std::move(parts), std::move(views), clock));
  QV_CHECK(home->build(home));
  return home;
}

Status ClusterHome::build(const std::shared_ptr<ClusterHome>& self) {
  const auto liveness = [this](const ClusterView& view) { return detector_.liveness(view); };
  catalogue_ = std::make_unique<Catalogue>(
      Catalogue::Parts{store(), *views_, copies_, fan_out_, clock_, liveness, self});
  MoveSource::Options source;
  source.pace = parts_.paces.out;
  QV_TRY(move_source_, MoveSource::open({store(), *views_, host_, shard_service_, clock_,
                                         [this](const CallContext& call, Revision revision) {
                                           return keep_map(call, revision);
                                         }},
                                        self_, parts_.facts.data_dir / "outgoing", source));
  const auto reach = [this](const ClusterView& view,
                            const NodeId& node) -> Result<std::shared_ptr<thrift::NodeHandler>> {
    if (node == self_ && parts_.own != nullptr) {
      return std::shared_ptr<thrift::NodeHandler>(std::shared_ptr<void>(), parts_.own);
    }
    QV_TRY(auto client, peers().client(view, node));
    return std::shared_ptr<thrift::NodeHandler>(std::move(client));
  };
  mover_ = std::make_unique<Mover>(Mover::Parts{store(), *views_, host_, shards_, clock_, reach},
                                   self_, parts_.mover);
  controller_ = std::make_unique<Controller>(
      Controller::Parts{store(), *views_, clock_, liveness, fan_out_, reach}, self_,
      Controller::Options{});
  admin_ = std::make_unique<NodeAdmin>(
      NodeAdmin::Parts{store(), *views_, peers(), fan_out_, *controller_, clock_, liveness, reach,
                       [this] { return own_state(); }},
      NodeAdmin::Options{});
  host_.restrict(kReadsOnly, doubtful());
  detector_.watch(views_->current());
  {
    const MutexLock lock(mutex_);
    follower_ = std::thread([this] { follow(); });
  }
  views_->on_change([this] {
    keeper_.changed();
    copy_host_.changed();
    tidy_soon();
  });
  return Done{};
}

std::set<storage::ShardPlace> ClusterHome::doubtful() const {
  // With a copy that was being filled the shard may have been handed over, and be written there.
  std::set<storage::ShardPlace> out;
  for (const auto& [id, collection] : views_->current()->collections_by_id) {
    if (collection->spec.replication_factor > 1) continue;
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      const auto& state = collection->shards[i];
      if (state.copies.size() > 1) out.insert({id, ShardId{i}, state.primary});
    }
  }
  return out;
}

Status ClusterHome::enter(const CallContext& call) {
  QV_CHECK(views_->attach(call));
  QV_CHECK(move_source_->fence(call));
  QV_CHECK(catalogue_->abandon_creations(call, self_));
  name_strays();
  host_.lift();
  QV_CHECK(copy_host_.start());
  keeper_.start();
  tidy_soon();
  return Done{};
}

Status ClusterHome::keep_map(const CallContext& call, Revision revision) {
  QV_CHECK(views_->await(call, revision));
  return keeper_.keep_now();
}

Status ClusterHome::check_readable() const {
  QV_CHECK(member_service_.check_member());
  if (views_->is_attached()) return Done{};
  auto fits = detector_.check_map(views_->current()->epoch);
  if (fits.ok()) return fits;
  return Error{fits.error().code,
               "this server cannot reach the coordination store, and its map of the cluster may be "
               "outdated: " +
                   fits.error().message};
}

Status ClusterHome::check_writable() const {
  QV_CHECK(check_readable());
  return host_.check_writable();
}

OwnState ClusterHome::own_state() const {
  const auto writable = host_.check_writable();
  return {writable.ok() ? "" : writable.error().message, keeper_.kept_epoch(), copy_host_.audited(),
          parts_.paces.out->bytes(), parts_.paces.in->bytes()};
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
    if (host_.check_writable().ok()) {
      catalogue_->tidy(call, self_, [this](const std::string& id) { return remove_files(id); });
    }
  }
}

Status ClusterHome::remove_files(const std::string& collection_id) {
  copy_host_.forget_collection(collection_id);
  return host_.drop_collection(collection_id);
}

void ClusterHome::leave_shards() {
  copy_host_.resign(kResignTime);
  copy_host_.close();
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
  keeper_.stop();
  if (controller_) controller_->stop();
  if (mover_) mover_->stop();
  if (move_source_) move_source_->close();
  detector_.stop();
  copy_host_.close();
  host_.close();
}

}  // namespace quiver::cluster
