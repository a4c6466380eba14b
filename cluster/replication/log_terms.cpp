#include "cluster/replication/log_terms.h"

#include <string>
#include <utility>
#include <vector>

namespace quiver::cluster::replication {
namespace {

/// What every log of an only copy is written in.
constexpr Term kOnlyTerm{1};

Result<Term> term_at(const storage::Shard& shard, Seq seq) {
  if (seq == shard.tail().seq) return shard.tail().term;
  QV_TRY(const auto entries, shard.read_encoded(seq, 1));
  return entries.front().term;
}

/// The first entry behind `from` that is not of the term of `from`; the one behind the tail if
/// there is none. Terms do not fall.
Result<Seq> end_of_term(const storage::Shard& shard, Seq from, Term term) {
  std::uint64_t low = raw(from);
  std::uint64_t high = raw(shard.tail().seq) + 1;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    QV_TRY(const auto found, term_at(shard, Seq{middle}));
    if (found == term) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return Seq{high};
}

Error contradiction(const std::string& what) {
  return {ErrorCode::Corruption, "the copy's record of its terms contradicts its log: " + what +
                                     ". Remove the copy, so that it is filled again from another"};
}

}  // namespace

Result<History> history_of(const storage::Shard& shard, const storage::ReplicaState& stored) {
  const LogPosition tail = shard.tail();
  if (tail.seq == Seq{0}) return History{};
  const Seq first = shard.log_first();
  std::vector<History::Reign> reigns;
  for (const auto& reign : stored.reigns) {
    if (reign.first < first) reigns.push_back({reign.term, reign.first});
  }
  if (first > Seq{1} && (reigns.empty() || reigns.front().first != Seq{1})) {
    return contradiction("it does not say in which term entry 1 was written");
  }
  if (first > tail.seq && reigns.back().term != tail.term) {
    return contradiction("the last entry is of term " + std::to_string(raw(tail.term)) + ", not " +
                         std::to_string(raw(reigns.back().term)));
  }
  for (Seq seq = first; seq <= tail.seq;) {
    QV_TRY(const auto term, term_at(shard, seq));
    if (!reigns.empty() && term < reigns.back().term) {
      return contradiction("entry " + std::to_string(raw(seq)) + " is of term " +
                           std::to_string(raw(term)) + ", behind one of term " +
                           std::to_string(raw(reigns.back().term)));
    }
    if (reigns.empty() || reigns.back().term != term) reigns.push_back({term, seq});
    QV_TRY(seq, end_of_term(shard, seq, term));
  }
  History history(std::move(reigns), tail.seq);
  if (!history.check()) return contradiction("its terms do not rise");
  return history;
}

Result<History> history_of_lone_copy(const storage::Shard& shard) {
  storage::ReplicaState before;
  if (shard.log_first() > Seq{1}) before.reigns.push_back({kOnlyTerm, Seq{1}});
  return history_of(shard, before);
}

}  // namespace quiver::cluster::replication
