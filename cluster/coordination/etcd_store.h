#pragma once

#include <memory>

#include "cluster/coordination/etcd_gateway.h"
#include "cluster/coordination/store.h"

namespace quiver::cluster {

/// The coordination store of a cluster: an etcd (3.4 or later), over its v3 JSON gateway.
///
/// A lease and a watch have a thread each.
class EtcdStore final : public CoordinationStore {
 public:
  /// Sends nothing. `http` must outlive it.
  ///
  /// Errors: InvalidArgument for an option that cannot be used.
  static Result<std::unique_ptr<EtcdStore>> make(HttpClient& http, EtcdOptions options);

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override;
  Result<Listing> list(const CallContext& call, std::string_view prefix) override;
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override;
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override;
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override;

 private:
  EtcdStore(HttpClient& http, EtcdOptions options) : gateway_(http, std::move(options)) {}

  std::string full(std::string_view key) const {
    return std::string(gateway_.options().prefix).append(key);
  }
  /// Nothing if the revision of the first page was compacted away meanwhile.
  Result<std::optional<Listing>> list_once(const CallContext& call, const std::string& prefix);

  EtcdGateway gateway_;
};

}  // namespace quiver::cluster
