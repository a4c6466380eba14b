#include "cluster/cluster_node.h"

#include <algorithm>
#include <utility>

#include "cluster/coordination/etcd_store.h"
#include "cluster/known_map.h"
#include "cluster/managed_etcd.h"
#include "cluster/map_restore.h"
#include "cluster/node_identity.h"
#include "cluster/seeds.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kJoinTime{20};
constexpr std::chrono::milliseconds kPauseAfterFailure{500};
// For calls of other servers that run when this one stops.
constexpr std::chrono::seconds kDrainTime{5};
constexpr std::chrono::seconds kLeaveTime{2};
// How often those who wait look whether they still should.
constexpr std::chrono::milliseconds kCancelLook{50};
// For the store to show that it is there after all.
constexpr std::chrono::seconds kLookTime{1};
// For the other servers to say whether they have a newer map.
constexpr std::chrono::seconds kAskAroundTime{5};

/// What only time can change.
bool may_pass(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::DeadlineExceeded ||
         error.code == ErrorCode::ResourceExhausted;
}

Paces paces_of(const ClusterOptions& options) {
  const auto bytes_per_second = std::uint64_t{options.copy_bandwidth_mb} << 20U;
  return {std::make_shared<Pace>(bytes_per_second), std::make_shared<Pace>(bytes_per_second)};
}

Result<std::shared_ptr<ClusterAdmin>> admin_of(Result<std::shared_ptr<ClusterHome>> home) {
  QV_TRY(auto parts, std::move(home));
  return std::shared_ptr<ClusterAdmin>(parts, &parts->admin());
}

/// With what the options of the cluster say of its parts.
ClusterNode::Settings complete(ClusterNode::Settings settings) {
  settings.copies.audit.every = std::chrono::seconds(settings.cluster.anti_entropy_s);
  return settings;
}

}  // namespace

ClusterNode::ClusterNode(Settings settings, HttpClient& http, const Clock& clock, Refused refused)
    : settings_(complete(std::move(settings))),
      http_(http),
      clock_(clock),
      refused_(std::move(refused)),
      paces_(paces_of(settings_.cluster)),
      admin_([this] { return admin_of(home()); }, [this] { return admin_of(home_to_write()); }) {}

Result<std::unique_ptr<ClusterNode>> ClusterNode::start(Settings settings, HttpClient& http,
                                                        const Clock& clock, Refused refused) {
  std::unique_ptr<ClusterNode> node(
      new ClusterNode(std::move(settings), http, clock, std::move(refused)));
  QV_CHECK(node->prepare());
  const MutexLock lock(node->mutex_);
  node->waiting_for_ = "it is joining";
  node->joiner_ = std::thread([raw = node.get()] { raw->join_cluster(); });
  return node;
}

ClusterNode::~ClusterNode() {
  close();
}

Status ClusterNode::check_data_dir() {
  const auto& wanted = settings_.cluster.name;
  QV_TRY(file_, MembershipFile::read(settings_.data_dir));
  if (file_ && file_->is_moving_in) {
    return Error{ErrorCode::FailedPrecondition,
                 "the data directory is on its way into the cluster " + file_->cluster +
                     ": run `quiver cluster init` again to complete that"};
  }
  if (file_ && file_->cluster != wanted) {
    return Error{ErrorCode::FailedPrecondition, "the data directory belongs to the cluster " +
                                                    file_->cluster + ", not to " + wanted};
  }
  if (file_) return Done{};
  const storage::ShardStore alone(settings_.data_dir / "shards", settings_.storage, clock_);
  QV_TRY(const auto stored, alone.collections());
  if (stored.empty()) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               "the data directory holds collections of a server that is alone: `quiver cluster "
               "init` makes it the first of a cluster"};
}

Status ClusterNode::prepare() {
  const auto& options = settings_.cluster;
  QV_CHECK(check(options));
  QV_CHECK(check_data_dir());
  QV_TRY(const auto security, thrift::Security::make({options.token, options.tls_ca,
                                                      options.tls_certificate, options.tls_key}));
  QV_TRY(const auto id, node_identity(settings_.data_dir));
  self_ = {id.text, draw_incarnation(clock_.wall_ms()), QV_VERSION};
  const thrift::LocalNode local{options.name, self_};
  peers_ = std::make_shared<Peers>(local, security, thrift::ClientOptions{});
  service_ = std::make_unique<NodeService>(self_);
  thrift::ServerOptions listen;
  listen.address = options.host;
  listen.port = options.port;
  listen.allow_public = options.allow_public;
  QV_TRY(server_, thrift::NodeServer::start(local, security, listen, *service_,
                                            [service = service_.get()](const auto& caller) {
                                              return service->admit(caller);
                                            }));
  QV_LOG_INFO("cluster_listening address={} advertised={} id={} cluster={}", server_->address(),
              options.rpc_address(), self_.id, options.name);
  QV_TRY(etcd_, start_managed_etcd(options, settings_.data_dir, http_, clock_));
  return Done{};
}

NodeRecord ClusterNode::own_record() const {
  const auto& options = settings_.cluster;
  NodeRecord record;
  record.id = {self_.id};
  record.rpc_address = options.rpc_address();
  record.label = options.label.empty() ? record.rpc_address : options.label;
  record.http_address = settings_.http_address;
  record.zone = options.zone;
  record.weight = options.weight;
  record.version = self_.version;
  return record;
}

Result<std::vector<std::string>> ClusterNode::find_endpoints(const CallContext& call) {
  const auto& options = settings_.cluster;
  QV_TRY(auto known, known_endpoints(options));
  // Whoever does not take this server should say so before anything is written.
  if (was_let_in_ && !endpoints_.empty()) return endpoints_;
  const auto welcome = [&]() -> Result<thrift::Welcome> {
    QV_TRY(const auto seeds, seeds_of(call, options));
    return ask_seeds(call, *peers_, seeds,
                     {self_, options.rpc_address(), settings_.http_address, options.zone,
                      static_cast<double>(options.weight)});
  }();
  if (!welcome.ok() && (known.empty() || !may_pass(welcome.error()))) return welcome.error();
  was_let_in_ = welcome.ok();
  if (known.empty()) known = welcome->coordination;
  if (known.empty()) {
    return Error{ErrorCode::Unavailable, "no server says where the coordination store is"};
  }
  return known;
}

Status ClusterNode::connect(const std::vector<std::string>& endpoints) {
  if (store_ && endpoints == endpoints_) return Done{};
  const auto& options = settings_.cluster;
  // It works with the store that was there.
  if (const auto home = withdraw_home()) home->close();
  membership_.reset();
  store_.reset();
  QV_TRY(store_, EtcdStore::make(http_, store_options(options, endpoints)));
  endpoints_ = endpoints;
  membership_ =
      std::make_unique<Membership>(Membership::Parts{*store_, *peers_, clock_}, own_record(),
                                   self_.incarnation, std::chrono::seconds(options.lease_s));
  return Done{};
}

Status ClusterNode::try_join(const CallContext& call) {
  const auto& options = settings_.cluster;
  QV_TRY(const auto endpoints, find_endpoints(call));
  QV_CHECK(connect(endpoints));
  QV_CHECK(check_store(call));
  QV_TRY(const auto cluster,
         membership_->enter(call, options.name, file_ ? file_->cluster_id : ""));
  if (!file_) {
    const MembershipFile file{options.name, cluster.id, false};
    QV_CHECK(file.write(settings_.data_dir));
    file_ = file;
  }
  auto home = current_home();
  if (!home) {
    QV_TRY(home, ClusterHome::open(home_parts(cluster.id), {}, clock_));
  }
  QV_CHECK(home->enter(call));
  QV_CHECK(membership_->activate(call));
  QV_CHECK(home->views().refresh(call));
  QV_CHECK(home->start_moves(call));
  QV_LOG_INFO("cluster_joined name={} id={} label={} servers={}", options.name, self_.id,
              membership_->self().label, home->views().current()->nodes.size());
  publish(std::move(home), true);
  return Done{};
}

Status ClusterNode::check_store(const CallContext& call) {
  if (!file_) return Done{};
  const auto kept = ViewFile::read(settings_.data_dir);
  if (!kept.ok() || kept->cluster_id != file_->cluster_id || kept->node.text != self_.id) {
    if (!settings_.restore_map) return Done{};
    return Error{ErrorCode::FailedPrecondition,
                 "there is no map to be restored from the disk: " +
                     (kept.ok() ? "it is of another cluster or server" : kept.error().message)};
  }
  QV_TRY(const auto cluster, store_->get(call, keys::kCluster));
  // Which store it is comes first, and is said by whoever enters it.
  if (!cluster) return Done{};
  QV_TRY(const auto there, store_->list(call, ""));
  auto fits = check_not_older(kept->map, there);
  if (fits.ok() || !settings_.restore_map) return fits;
  QV_LOG_WARN("map_restore_begins reason=\"{}\"", fits.error().message);
  QV_TRY(const auto restored, restore_map(call, kept->map, kept->node, *store_));
  QV_LOG_WARN("map_restored revision={} put={} removed={}",
              static_cast<std::uint64_t>(kept->map.revision), restored.put, restored.removed);
  return Done{};
}

ClusterHome::Parts ClusterNode::home_parts(const std::string& cluster_id) const {
  const auto& options = settings_.cluster;
  return {store_,
          peers_,
          self_,
          settings_.storage,
          {settings_.storage.open_shards},
          {std::chrono::milliseconds(options.heartbeat_ms),
           std::chrono::milliseconds(options.down_after_ms)},
          settings_.mover,
          settings_.copies,
          paces_,
          {cluster_id, endpoints_, settings_.data_dir, started_},
          service_.get(),
          refused_};
}

void ClusterNode::publish(std::shared_ptr<ClusterHome> home, bool joined) {
  service_->open({&home->shard_service(), joined ? &home->move_source() : nullptr,
                  &home->member_service(), home, &home->copy_host(),
                  [copies = &home->copy_host()] { return copies->exchange(); }});
  const MutexLock lock(mutex_);
  home_ = std::move(home);
  joined_ = joined;
  changed_.notify_all();
}

std::shared_ptr<ClusterHome> ClusterNode::current_home() const {
  const MutexLock lock(mutex_);
  return home_;
}

std::shared_ptr<ClusterHome> ClusterNode::withdraw_home() {
  service_->close();
  const MutexLock lock(mutex_);
  return std::move(home_);
}

Status ClusterNode::open_by_map(const CallContext& call) {
  QV_TRY(auto map, known_map(settings_.data_dir, file_->cluster_id, own_record()));
  if (!store_) QV_CHECK(connect(map.coordination));
  QV_TRY(auto home, ClusterHome::open(home_parts(file_->cluster_id), map.map, clock_));
  // So that what is answered does not depend on who is quicker.
  wait_for(call, steady_clock::now() + kAskAroundTime,
           [&home] { return home->detector().has_asked_all(); });
  const auto fits = home->check_readable();
  QV_LOG_WARN("cluster_map_from_disk epoch={} reads={} writes=refused remedy=waiting",
              home->views().current()->epoch,
              fits.ok() ? "served" : "refused error=\"" + fits.error().message + '"');
  publish(std::move(home), false);
  return Done{};
}

void ClusterNode::serve_by_map(const CallContext& call) {
  if (!file_ || has_no_map_ || current_home()) return;
  // One that answers has the truth, and says soon what keeps this server from joining.
  CallContext look = call;
  look.deadline = steady_clock::now() + kLookTime;
  if (store_ && store_->get(look, keys::kCluster).ok()) return;
  const auto opened = open_by_map(call);
  if (opened.ok()) return;
  has_no_map_ = true;
  QV_LOG_WARN("cluster_map_not_used remedy=waiting error=\"{}\"", opened.error().message);
}

void ClusterNode::say_waiting(const Error& error) {
  const MutexLock lock(mutex_);
  if (closed_ || waiting_for_ == error.message) return;
  waiting_for_ = error.message;
  QV_LOG_WARN("cluster_not_joined remedy=waiting error=\"{}\"", error.message);
}

void ClusterNode::join_cluster() {
  while (true) {
    CallContext call;
    call.deadline = steady_clock::now() + kJoinTime;
    {
      const MutexLock lock(mutex_);
      if (closed_) return;
      under_way_ = CancelToken::make();
      call.cancel = under_way_;
    }
    const auto joined = try_join(call);
    if (joined.ok()) return;
    say_waiting(joined.error());
    if (!may_pass(joined.error())) return give_up(joined.error());
    call.deadline = steady_clock::now() + kJoinTime;
    serve_by_map(call);
    const auto next = steady_clock::now() + kPauseAfterFailure;
    const MutexLock lock(mutex_);
    while (!closed_ && steady_clock::now() < next) changed_.wait_until(mutex_, next);
  }
}

void ClusterNode::give_up(const Error& error) {
  QV_LOG_ERROR("cluster_refused error=\"{}\"", error.message);
  if (refused_) refused_(error);
  {
    const MutexLock lock(mutex_);
    gave_up_ = true;
    changed_.notify_all();
  }
  if (const auto home = withdraw_home()) home->close();
}

Result<std::shared_ptr<ClusterHome>> ClusterNode::home() const {
  std::shared_ptr<ClusterHome> home;
  {
    const MutexLock lock(mutex_);
    if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping; try again later"};
    if (!home_) {
      return Error{ErrorCode::Unavailable,
                   "this server has not joined its cluster yet: " + waiting_for_};
    }
    home = home_;
  }
  QV_CHECK(home->check_readable());
  return home;
}

Result<std::shared_ptr<ClusterHome>> ClusterNode::home_to_write() const {
  QV_TRY(auto home, this->home());
  QV_CHECK(home->check_writable());
  return home;
}

void ClusterNode::wait_for(const CallContext& call, steady_clock::time_point until,
                           const std::function<bool()>& reached) {
  if (call.deadline) until = std::min(until, *call.deadline);
  while (!reached() && !call.cancel.cancelled() && steady_clock::now() < until) {
    const MutexLock lock(mutex_);
    if (closed_ || gave_up_) return;
    changed_.wait_until(mutex_, std::min(until, steady_clock::now() + kCancelLook));
  }
}

void ClusterNode::wait_home(const CallContext& call, std::chrono::milliseconds patience) {
  wait_for(call, steady_clock::now() + patience, [this] {
    const MutexLock lock(mutex_);
    return home_ != nullptr;
  });
}

void ClusterNode::wait_joined(const CallContext& call, std::chrono::milliseconds patience) {
  wait_home(call, patience);
  wait_for(call, started_ + patience, [this] {
    const MutexLock lock(mutex_);
    return joined_;
  });
}

Result<std::shared_ptr<Collection>> ClusterNode::find(std::string_view name) {
  QV_TRY(const auto parts, home());
  return parts->catalogue().find(name);
}

Result<Collections::Created> ClusterNode::create(const CallContext& call, CollectionSpec spec) {
  QV_TRY(const auto parts, home_to_write());
  return parts->catalogue().create(call, std::move(spec));
}

Result<std::optional<std::uint64_t>> ClusterNode::drop(const CallContext& call,
                                                       std::string_view name) {
  QV_TRY(const auto parts, home_to_write());
  return parts->catalogue().drop(call, name);
}

Result<std::vector<CollectionSpec>> ClusterNode::list() {
  QV_TRY(const auto parts, home());
  return parts->catalogue().list();
}

void ClusterNode::close() {
  std::thread joiner;
  std::shared_ptr<ClusterHome> home;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    under_way_.cancel();
    changed_.notify_all();
    joiner = std::move(joiner_);
  }
  if (joiner.joinable()) joiner.join();
  {
    const MutexLock lock(mutex_);
    home = std::move(home_);
  }
  if (home) home->leave_shards();
  if (server_ && !server_->stop(kDrainTime)) QV_LOG_WARN("calls_cut_at_stop");
  if (service_) service_->close();
  if (membership_) {
    CallContext call;
    call.deadline = steady_clock::now() + kLeaveTime;
    membership_->leave(call);
  }
  if (home) home->close();
  home.reset();
  membership_.reset();
  if (etcd_) etcd_->stop();
}

}  // namespace quiver::cluster
