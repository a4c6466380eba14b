#include "cluster/cluster_node.h"

#include <algorithm>
#include <utility>

#include "cluster/coordination/etcd_store.h"
#include "cluster/managed_etcd.h"
#include "cluster/node_identity.h"
#include "cluster/seeds.h"
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

/// What only time can change.
bool may_pass(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::DeadlineExceeded ||
         error.code == ErrorCode::ResourceExhausted;
}

}  // namespace

ClusterNode::ClusterNode(Settings settings, HttpClient& http, const Clock& clock, Refused refused)
    : settings_(std::move(settings)),
      http_(http),
      clock_(clock),
      refused_(std::move(refused)),
      admin_([this]() -> Result<std::shared_ptr<ClusterAdmin>> {
        QV_TRY(auto parts, home());
        return std::shared_ptr<ClusterAdmin>(parts, &parts->admin());
      }) {}

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
  QV_TRY(const auto cluster,
         membership_->enter(call, options.name, file_ ? file_->cluster_id : ""));
  if (!file_) {
    const MembershipFile file{options.name, cluster.id, false};
    QV_CHECK(file.write(settings_.data_dir));
    file_ = file;
  }
  ClusterHome::Parts parts{store_,
                           peers_,
                           self_,
                           settings_.storage,
                           {settings_.storage.open_shards},
                           {std::chrono::milliseconds(options.heartbeat_ms),
                            std::chrono::milliseconds(options.down_after_ms)},
                           settings_.mover,
                           {cluster.id, endpoints_, settings_.data_dir, started_},
                           refused_};
  QV_TRY(auto home, ClusterHome::open(call, std::move(parts), clock_));
  QV_CHECK(membership_->activate(call));
  QV_CHECK(home->views().refresh(call));
  QV_CHECK(home->start_moves(call));
  service_->open({&home->shard_service(), &home->move_source(), &home->member_service(), home});
  QV_LOG_INFO("cluster_joined name={} id={} label={} servers={}", options.name, self_.id,
              membership_->self().label, home->views().current()->nodes.size());
  const MutexLock lock(mutex_);
  home_ = std::move(home);
  changed_.notify_all();
  return Done{};
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
    if (!may_pass(joined.error())) {
      QV_LOG_ERROR("cluster_refused error=\"{}\"", joined.error().message);
      if (refused_) refused_(joined.error());
      const MutexLock lock(mutex_);
      gave_up_ = true;
      changed_.notify_all();
      return;
    }
    const auto next = steady_clock::now() + kPauseAfterFailure;
    const MutexLock lock(mutex_);
    while (!closed_ && steady_clock::now() < next) changed_.wait_until(mutex_, next);
  }
}

Result<std::shared_ptr<ClusterHome>> ClusterNode::home() const {
  const MutexLock lock(mutex_);
  if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping; try again later"};
  if (home_) {
    QV_CHECK(home_->member_service().check_member());
    return home_;
  }
  return Error{ErrorCode::Unavailable,
               "this server has not joined its cluster yet: " + waiting_for_};
}

void ClusterNode::wait_joined(const CallContext& call, std::chrono::milliseconds patience) {
  auto until = steady_clock::now() + patience;
  if (call.deadline) until = std::min(until, *call.deadline);
  const MutexLock lock(mutex_);
  while (!home_ && !closed_ && !gave_up_ && !call.cancel.cancelled() &&
         steady_clock::now() < until) {
    changed_.wait_until(mutex_, std::min(until, steady_clock::now() + kCancelLook));
  }
}

Result<std::shared_ptr<Collection>> ClusterNode::find(std::string_view name) {
  QV_TRY(const auto parts, home());
  return parts->catalogue().find(name);
}

Result<Collections::Created> ClusterNode::create(const CallContext& call, CollectionSpec spec) {
  QV_TRY(const auto parts, home());
  return parts->catalogue().create(call, std::move(spec));
}

Result<std::optional<std::uint64_t>> ClusterNode::drop(const CallContext& call,
                                                       std::string_view name) {
  QV_TRY(const auto parts, home());
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
