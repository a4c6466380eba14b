#include "app/cluster_init.h"

#include <memory>

#include "app/data_lock.h"
#include "app/http_client.h"
#include "cluster/coordination/etcd_store.h"
#include "cluster/founding.h"
#include "cluster/managed_etcd.h"
#include "core/clock.h"

namespace quiver::app {

Status init_cluster(const CallContext& call, const Options& options,
                    const std::function<void(const std::string&)>& say) {
  const auto& wanted = options.cluster;
  if (!wanted.is_clustered()) {
    return Error{ErrorCode::InvalidArgument,
                 "cluster.coordination: set it to managed or etcd, and the other keys of the "
                 "cluster, first"};
  }
  QV_TRY(const auto endpoints, cluster::known_endpoints(wanted));
  if (endpoints.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "cluster.nodes: the first server of a managed cluster must be among them, as " +
                     wanted.rpc_address()};
  }
  QV_TRY(const auto lock, DataLock::try_acquire(options.data_dir));
  if (!lock) {
    return Error{ErrorCode::FailedPrecondition,
                 "data directory " + options.data_dir +
                     " is used by another process: stop it, then try again"};
  }
  const SystemClock clock;
  HttpClientOptions tls;
  tls.tls = {wanted.tls_ca, wanted.tls_certificate, wanted.tls_key};
  QV_TRY(const auto http, make_http_client(tls));
  QV_TRY(const auto etcd, cluster::start_managed_etcd(wanted, options.data_dir, *http, clock));
  if (etcd) {
    if (wanted.nodes.size() > 1) {
      say("waiting for etcd, which needs a majority of cluster.nodes to run\n");
    }
    QV_CHECK(etcd->wait_ready(call));
  }
  QV_TRY(const auto store,
         cluster::EtcdStore::make(*http, cluster::store_options(wanted, endpoints)));
  QV_TRY(const auto moved, cluster::move_in(call, options.data_dir, *store, clock, wanted.name));
  say("the data in " + options.data_dir + " belongs to the cluster " + wanted.name + " (" +
      std::to_string(moved.copied + moved.present) +
      " keys moved); start it with `quiver serve` and this configuration\n");
  return Done{};
}

}  // namespace quiver::app
