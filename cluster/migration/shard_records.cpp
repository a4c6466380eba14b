#include "cluster/migration/shard_records.h"

#include "cluster/view/keys.h"

namespace quiver::cluster {
namespace {

constexpr int kAttempts = 20;

}  // namespace

Result<ShardRecords::Outcome> ShardRecords::change(const CallContext& call,
                                                   const std::string& collection, ShardId shard,
                                                   const Edit& edit) {
  const std::string key = keys::shard(collection, shard);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_CHECK(call.check());
    QV_TRY(const auto entry, store_.get(call, key));
    Outcome out;
    std::vector<Put> puts{{keys::proof(self_), "{}"}};
    if (entry) {
      QV_TRY(out.state, ShardState::from_json(Json::parse(entry->value, nullptr, false)));
      QV_TRY(const bool changed, edit(*out.state));
      if (changed) {
        ++out.state->epoch;
        puts.push_back({key, out.state->to_json().dump()});
      }
    }
    // Even if nothing changes: what was read may have been outdated.
    const Revision compared = entry ? entry->revision : Revision{0};
    QV_TRY(const auto result, store_.txn(call, {{key, compared}}, puts));
    if (result == TxnOutcome::Done) {
      out.revision = result.revision;
      return out;
    }
    // After Unknown, too: if it took effect, the next attempt reads that, or conflicts.
  }
  return Error{ErrorCode::Unavailable, "the record of a shard keeps changing; try again"};
}

}  // namespace quiver::cluster
