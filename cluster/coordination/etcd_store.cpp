#include "cluster/coordination/etcd_store.h"

#include <utility>

#include "cluster/coordination/etcd_json.h"
#include "cluster/coordination/etcd_lease.h"
#include "cluster/coordination/etcd_watch.h"

namespace quiver::cluster {
namespace {

using Repeat = EtcdGateway::Repeat;
using State = EtcdReply::State;

constexpr std::string_view kRange = "/v3/kv/range";
constexpr std::string_view kTxn = "/v3/kv/txn";
constexpr std::string_view kGrant = "/v3/lease/grant";
// etcd keeps a revision for minutes at least; a listing that loses its own twice is not listing.
constexpr int kListAttempts = 3;

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message)};
}

/// As what a caller sees that cannot be left in doubt.
Error to_error(EtcdReply reply) {
  if (reply.state == State::Refused) return std::move(reply.error);
  return {reply.error.code, "the coordination store cannot be reached: " + reply.error.message};
}

Status check_endpoint(const std::string& endpoint) {
  const bool http = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  const std::size_t host = endpoint.find("://") + 3;
  const std::size_t colon = endpoint.rfind(':');
  const bool port = colon != std::string::npos && colon > host && colon + 1 < endpoint.size() &&
                    endpoint.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  if (http && port) return Done{};
  return invalid("an etcd endpoint must be like http://10.0.0.1:2379, got \"" + endpoint + '"');
}

}  // namespace

Result<std::unique_ptr<EtcdStore>> EtcdStore::make(HttpClient& http, EtcdOptions options) {
  if (options.endpoints.empty()) return invalid("etcd needs at least one endpoint");
  for (const auto& endpoint : options.endpoints) QV_CHECK(check_endpoint(endpoint));
  if (options.prefix.empty() || options.prefix.back() != '/') {
    return invalid("the prefix in etcd must end with '/', got \"" + options.prefix + '"');
  }
  if (options.user.empty() != options.password.empty()) {
    return invalid("etcd: a user needs a password, and a password a user");
  }
  if (options.page_keys == 0) return invalid("page_keys must be at least 1");
  return std::unique_ptr<EtcdStore>(new EtcdStore(http, std::move(options)));
}

Result<std::optional<Entry>> EtcdStore::get(const CallContext& call, std::string_view key) {
  QV_CHECK(check_key(key));
  auto reply = gateway_.call(call, kRange, etcd::get_request(full(key)), Repeat::Safe);
  if (reply.state != State::Done) return to_error(std::move(reply));
  QV_TRY(auto range, etcd::parse_range(reply.body, gateway_.options().prefix.size()));
  if (range.listing.entries.empty()) return std::optional<Entry>{};
  return std::optional<Entry>(std::move(range.listing.entries.front()));
}

Result<std::optional<Listing>> EtcdStore::list_once(const CallContext& call,
                                                    const std::string& prefix) {
  const std::size_t root = gateway_.options().prefix.size();
  Listing all;
  std::string from = prefix;
  while (true) {
    const auto request =
        etcd::range_request(prefix, from, gateway_.options().page_keys, all.revision);
    auto reply = gateway_.call(call, kRange, request, Repeat::Safe);
    const bool compacted = reply.error.message.find("has been compacted") != std::string::npos;
    if (reply.state == State::Refused && compacted) return std::optional<Listing>{};
    if (reply.state != State::Done) return to_error(std::move(reply));
    QV_TRY(auto range, etcd::parse_range(reply.body, root));
    // All pages are of the revision of the first.
    if (all.revision == Revision{0}) all.revision = range.listing.revision;
    for (auto& entry : range.listing.entries) all.entries.push_back(std::move(entry));
    if (!range.more || all.entries.empty()) return std::optional<Listing>(std::move(all));
    from = full(all.entries.back().key);
    from.push_back('\0');
  }
}

Result<Listing> EtcdStore::list(const CallContext& call, std::string_view prefix) {
  for (int i = 0; i < kListAttempts; ++i) {
    QV_TRY(auto listing, list_once(call, full(prefix)));
    if (listing) return std::move(*listing);
  }
  return Error{ErrorCode::Unavailable,
               "the coordination store forgets its revisions faster than it can be listed"};
}

Result<TxnResult> EtcdStore::txn(const CallContext& call, const std::vector<Compare>& compares,
                                 const std::vector<Put>& puts) {
  QV_CHECK(check_txn(compares, puts));
  const auto request = etcd::txn_request(gateway_.options().prefix, compares, puts);
  auto reply = gateway_.call(call, kTxn, request, Repeat::Never);
  if (reply.state == State::Unknown) {
    return TxnResult{TxnOutcome::Unknown, Revision{0}, to_error(std::move(reply))};
  }
  if (reply.state == State::Refused && reply.error.code == ErrorCode::NotFound) {
    return Error{ErrorCode::FailedPrecondition,
                 "a lease of this transaction has ended or never existed: grant a new one"};
  }
  if (reply.state != State::Done) return to_error(std::move(reply));
  auto result = etcd::parse_txn(reply.body);
  if (!result.ok()) {
    return TxnResult{TxnOutcome::Unknown, Revision{0}, std::move(result).error()};
  }
  return result;
}

Result<std::unique_ptr<Lease>> EtcdStore::grant(const CallContext& call, std::chrono::seconds ttl,
                                                LeaseLost on_lost) {
  QV_CHECK(check_ttl(ttl));
  const auto sent = std::chrono::steady_clock::now();
  // Granted twice, the one that nobody holds ends by itself.
  auto reply = gateway_.call(call, kGrant, etcd::grant_request(ttl), Repeat::Safe);
  if (reply.state != State::Done) return to_error(std::move(reply));
  QV_TRY(const auto granted, etcd::parse_granted(reply.body));
  return std::unique_ptr<Lease>(std::make_unique<EtcdLease>(
      gateway_, granted.id, granted.ttl, sent + granted.ttl, std::move(on_lost)));
}

Result<std::unique_ptr<Watch>> EtcdStore::watch(std::string_view prefix, Revision after,
                                                WatchCallback callback) {
  auto relist = [this, prefix = std::string(prefix)](const CallContext& call) {
    return list(call, prefix);
  };
  return std::unique_ptr<Watch>(std::make_unique<EtcdWatch>(
      gateway_, full(prefix), after, std::move(relist), std::move(callback)));
}

}  // namespace quiver::cluster
