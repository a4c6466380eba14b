#include "cluster/coordination/store.h"

#include <set>

namespace quiver::cluster {
namespace {

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message)};
}

Status check_count(std::string_view what, std::size_t count) {
  if (count <= kTxnOpsMax) return Done{};
  return invalid("a transaction may have at most " + std::to_string(kTxnOpsMax) + ' ' +
                 std::string(what) + ", got " + std::to_string(count));
}

}  // namespace

Result<TxnResult> decided(Result<TxnResult> result) {
  if (result.ok() && result->outcome == TxnOutcome::Unknown) {
    return Error{result->why.code,
                 "it is not known whether this was written: " + result->why.message};
  }
  return result;
}

Status check_key(std::string_view key) {
  if (key.empty()) return invalid("a key of the coordination store must not be empty");
  if (key.size() > kKeyBytesMax) {
    return invalid("a key of the coordination store may have at most " +
                   std::to_string(kKeyBytesMax) + " bytes, got " + std::to_string(key.size()));
  }
  return Done{};
}

Status check_txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) {
  QV_CHECK(check_count("compares", compares.size()));
  QV_CHECK(check_count("puts", puts.size()));
  std::size_t bytes = 0;
  for (const auto& compare : compares) {
    QV_CHECK(check_key(compare.key));
    bytes += compare.key.size();
  }
  std::set<std::string_view> seen;
  for (const auto& put : puts) {
    QV_CHECK(check_key(put.key));
    if (!seen.insert(put.key).second) {
      return invalid("a transaction may put a key once, \"" + put.key + "\" is there twice");
    }
    if (!put.value && put.lease != LeaseId{0}) {
      return invalid("\"" + put.key + "\" is removed, so it cannot have a lease");
    }
    bytes += put.key.size() + (put.value ? put.value->size() : 0);
  }
  if (bytes > kTxnBytesMax) {
    return invalid("a transaction may carry at most " + std::to_string(kTxnBytesMax) +
                   " bytes, got " + std::to_string(bytes));
  }
  return Done{};
}

Status check_ttl(std::chrono::seconds ttl) {
  if (ttl >= kLeaseTtlMin && ttl <= kLeaseTtlMax) return Done{};
  return invalid("a lease must last " + std::to_string(kLeaseTtlMin.count()) + " to " +
                 std::to_string(kLeaseTtlMax.count()) + " seconds, got " +
                 std::to_string(ttl.count()));
}

}  // namespace quiver::cluster
