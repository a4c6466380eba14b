#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cluster/admin/joined_admin.h"
#include "cluster/cluster_home.h"
#include "cluster/collections.h"
#include "cluster/coordination/etcd_child.h"
#include "cluster/membership.h"
#include "cluster/membership_file.h"
#include "cluster/node_service.h"
#include "cluster/options.h"
#include "core/http_client.h"
#include "thrift/security.h"
#include "thrift/server.h"

namespace quiver::cluster {

/// The collections of a cluster, on one of its servers.
///
/// Joins in the background: as long as the coordination store or those who know where it is cannot
/// be reached, it waits and says so in the log. Meanwhile a server that was a member before serves
/// reads by the map of the cluster on its disk; writes, and all calls of a server without such a
/// map, are refused with Unavailable. Once it has joined, losing the store ends nothing.
///
/// Threads: any. The process must own the data directory.
class ClusterNode final : public Collections {
 public:
  struct Settings {
    std::filesystem::path data_dir;
    ClusterOptions cluster;
    /// host:port of MCP and REST, as others reach it.
    std::string http_address;
    storage::Options storage;
    Mover::Options mover = {};
    replication::CopyHost::Options copies = {};
    /// A coordination store that is older than the map on the disk gets that map, instead of being
    /// refused; see restore_map().
    bool restore_map = false;
  };
  /// Told once, on a thread of this node, that the cluster does not take it, or not any more, and
  /// waiting would not help. Must not end the node.
  using Refused = std::function<void(const Error&)>;

  /// Listens for other servers, and begins to join. `http`, for the coordination store, and `clock`
  /// must outlive it.
  ///
  /// Errors: InvalidArgument for settings that cannot be; FailedPrecondition if the data directory
  /// belongs to a server that is alone or to another cluster, or a managed etcd is not installed;
  /// those of thrift::NodeServer::start() for the address.
  static Result<std::unique_ptr<ClusterNode>> start(Settings settings, HttpClient& http,
                                                    const Clock& clock, Refused refused);
  /// close().
  ~ClusterNode() override;

  Result<std::shared_ptr<Collection>> find(std::string_view name) override;
  Result<Created> create(const CallContext& call, CollectionSpec spec) override;
  Result<std::optional<std::uint64_t>> drop(const CallContext& call,
                                            std::string_view name) override;
  Result<std::vector<CollectionSpec>> list() override;

  /// Errors: Unavailable, with the reason, before it has joined or has a map, and after close();
  /// those of ClusterHome::check_readable().
  Result<std::shared_ptr<ClusterHome>> home() const;
  /// Errors: as home(); Unavailable before it has joined.
  Result<std::shared_ptr<ClusterHome>> home_to_write() const;
  /// Until home() may give something, will not any more, or `patience` or the call's time is over.
  void wait_home(const CallContext& call, std::chrono::milliseconds patience);
  /// The same for home_to_write(), and not beyond `patience` after the start: calls that cannot be
  /// carried out for long must not keep others waiting.
  void wait_joined(const CallContext& call, std::chrono::milliseconds patience);
  const thrift::NodeIdentity& self() const noexcept { return self_; }
  ClusterAdmin& admin() noexcept { return admin_; }
  /// -1: it runs no etcd now.
  pid_t etcd_pid() const { return etcd_ ? etcd_->pid() : -1; }

  /// Lets no call in any more, waits for those that run, takes the sign of life back, and closes
  /// all shards.
  void close();

 private:
  ClusterNode(Settings settings, HttpClient& http, const Clock& clock, Refused refused);

  Status prepare();
  Status check_data_dir();
  NodeRecord own_record() const;

  void join_cluster();
  Status try_join(const CallContext& call);
  /// Refuses a store that was restored from a snapshot older than the map on the disk.
  Status check_store(const CallContext& call);
  /// Where the store is. Errors: as ask_seeds().
  Result<std::vector<std::string>> find_endpoints(const CallContext& call);
  Status connect(const std::vector<std::string>& endpoints);
  ClusterHome::Parts home_parts(const std::string& cluster_id) const;
  void publish(std::shared_ptr<ClusterHome> home, bool joined);
  std::shared_ptr<ClusterHome> current_home() const;
  /// Lets no call in any more that is not under way. Null: there is none.
  std::shared_ptr<ClusterHome> withdraw_home();
  /// Reads by the map on the disk, if the store cannot be reached and there is such a map.
  void serve_by_map(const CallContext& call);
  Status open_by_map(const CallContext& call);
  void give_up(const Error& error);
  void wait_for(const CallContext& call, std::chrono::steady_clock::time_point until,
                const std::function<bool()>& reached);
  void say_waiting(const Error& error);

  const Settings settings_;
  HttpClient& http_;
  const Clock& clock_;
  const Refused refused_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  /// Outlives a home, whose place another one takes.
  const Paces paces_;
  thrift::NodeIdentity self_;
  JoinedAdmin admin_;
  std::shared_ptr<Peers> peers_;
  std::unique_ptr<EtcdChild> etcd_;
  std::unique_ptr<NodeService> service_;
  std::unique_ptr<thrift::NodeServer> server_;

  // Of the joining thread alone until it ends.
  std::optional<MembershipFile> file_;
  /// The map on the disk was looked at, and cannot be used.
  bool has_no_map_ = false;
  bool was_let_in_ = false;
  std::vector<std::string> endpoints_;
  std::shared_ptr<CoordinationStore> store_;
  std::unique_ptr<Membership> membership_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::string waiting_for_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  bool gave_up_ QV_GUARDED_BY(mutex_) = false;
  CancelToken under_way_ QV_GUARDED_BY(mutex_) = CancelToken::make();
  bool joined_ QV_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ClusterHome> home_ QV_GUARDED_BY(mutex_);
  std::thread joiner_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
