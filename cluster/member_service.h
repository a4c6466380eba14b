#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/peers.h"
#include "cluster/replication/copy_host.h"
#include "cluster/shard_host.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// What other servers ask of this one as a member of the cluster.
///
/// Threads: any.
class MemberService {
 public:
  /// Known once the server has joined.
  struct Facts {
    /// ClusterRecord::id.
    std::string cluster_id;
    /// Where the coordination store is, for servers that have no list of their own.
    std::vector<std::string> coordination;
    std::filesystem::path data_dir;
    std::chrono::steady_clock::time_point started;
  };
  /// `views`, `host`, `replicated` and `peers` must outlive it.
  MemberService(ViewSource& views, ShardHost& host, const replication::CopyHost& replicated,
                Peers& peers, thrift::NodeIdentity self, Facts facts);

  /// Tells a newcomer what it needs to register itself, once it answers at its address; changes
  /// nothing.
  ///
  /// Errors: PermissionDenied for a server that was removed; FailedPrecondition for a version or an
  /// address that cannot be, or if another server answers at the address or none.
  thrift::Reply<thrift::Welcome> join(const thrift::NodeCall& call,
                                      const thrift::JoinCall& request) const;
  thrift::Reply<thrift::HeartbeatEcho> ping() const;
  /// Opens no copy. The state of a shard is "active" if its counts are those of now or of when its
  /// copy was closed, and "unknown", with counts of 0, if it was not open since the start.
  thrift::Reply<thrift::NodeStatus> status(const thrift::NodeCall& call) const;

  /// Whether a server that has shown who it is may call this one. Errors: PermissionDenied if it
  /// was removed; those of check_member().
  Status admit(const std::string& caller) const;
  /// Errors: FailedPrecondition if this server was removed: then it must serve nobody.
  Status check_member() const;
  /// This server's own state, as in NodeRecord.
  std::string own_state() const;

 private:
  thrift::ReplyInfo info() const;
  /// Whether the server that asks is the one at the address that it names. Of one that is a member
  /// under that address, nothing is asked.
  Status call_back(const CallContext& call, const ClusterView& view,
                   const thrift::JoinCall& request) const;
  thrift::ShardStatus status_of(const CollectionView& collection, ShardId shard) const;
  std::optional<ShardHost::Known> known(const CollectionView& collection, ShardId shard) const;

  ViewSource& views_;
  ShardHost& host_;
  const replication::CopyHost& replicated_;
  Peers& peers_;
  const thrift::NodeIdentity self_;
  const Facts facts_;
};

}  // namespace quiver::cluster
