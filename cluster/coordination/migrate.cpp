#include "cluster/coordination/migrate.h"

#include <map>
#include <span>
#include <string>
#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::size_t kKeysAtOnce = 100;
// Of answers that leave open whether a batch was written, in a row: then the store is not well.
constexpr int kAttempts = 5;

using Entries = std::span<const Entry>;

std::size_t bytes_of(const Entry& entry) {
  // In a batch a key is compared, and put.
  return 2 * entry.key.size() + entry.value.size();
}

/// The first entries that fit into one transaction; one at least.
Entries first_batch(Entries entries) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < entries.size() && count < kKeysAtOnce) {
    bytes += bytes_of(entries[count]);
    if (count > 0 && bytes > kTxnBytesMax) break;
    ++count;
  }
  return entries.first(count);
}

Error holds_another(const std::string& key) {
  return {
      ErrorCode::FailedPrecondition,
      "the target holds another value for \"" + key +
          "\": it belongs to another cluster, or was written to since. Nothing was overwritten"};
}

/// Which of `batch` are not in `to` yet. Those that are must have the same value.
Result<std::vector<Entry>> missing(const CallContext& call, Entries batch, CoordinationStore& to) {
  std::vector<Entry> out;
  for (const auto& entry : batch) {
    QV_TRY(const auto there, to.get(call, entry.key));
    if (!there) {
      out.push_back(entry);
    } else if (there->value != entry.value) {
      return holds_another(entry.key);
    }
  }
  return out;
}

Result<TxnResult> put_if_absent(const CallContext& call, Entries batch, CoordinationStore& to) {
  std::vector<Compare> compares;
  std::vector<Put> puts;
  for (const auto& entry : batch) {
    compares.push_back({entry.key, Revision{0}});
    puts.push_back({entry.key, entry.value});
  }
  return to.txn(call, compares, puts);
}

/// Returns how many were written now, as far as that is known.
Result<std::size_t> copy(const CallContext& call, Entries batch, CoordinationStore& to) {
  std::vector<Entry> left(batch.begin(), batch.end());
  std::string why;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(auto result, put_if_absent(call, left, to));
    if (result == TxnOutcome::Done) return left.size();
    // Each key compares with its absence, so that a batch that was written after all conflicts.
    why = std::move(result.why.message);
    QV_TRY(left, missing(call, left, to));
    if (left.empty()) return std::size_t{0};
  }
  return Error{ErrorCode::Unavailable, "the target does not take the keys: " + why};
}

Status verify(const CallContext& call, Entries entries, CoordinationStore& to) {
  QV_TRY(auto listing, to.list(call, ""));
  std::map<std::string_view, std::string_view> there;
  for (const auto& entry : listing.entries) there[entry.key] = entry.value;
  for (const auto& entry : entries) {
    const auto found = there.find(entry.key);
    if (found == there.end() || found->second != entry.value) return holds_another(entry.key);
  }
  return Done{};
}

}  // namespace

Result<Migrated> migrate(const CallContext& call, CoordinationStore& from, CoordinationStore& to) {
  QV_TRY(auto source, from.list(call, ""));
  std::erase_if(source.entries, [](const Entry& entry) { return entry.lease != LeaseId{0}; });
  Migrated done;
  for (Entries rest = source.entries; !rest.empty();) {
    const auto batch = first_batch(rest);
    QV_TRY(const auto copied, copy(call, batch, to));
    done.copied += copied;
    done.present += batch.size() - copied;
    rest = rest.subspan(batch.size());
  }
  QV_CHECK(verify(call, source.entries, to));
  QV_TRY(const auto after, from.list(call, ""));
  if (after.revision != source.revision) {
    return Error{ErrorCode::FailedPrecondition,
                 "the store was written to while it was copied: stop its node, then try again"};
  }
  return done;
}

}  // namespace quiver::cluster
