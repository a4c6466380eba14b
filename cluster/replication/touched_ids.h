#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/mutation.h"

namespace quiver::cluster::replication {

/// Up to where the log must be applied before the state of a point is what was last written, of the
/// points that were written lately. Points are known by a hash of their ids: two that share one
/// wait for each other.
///
/// Holds a bounded number of them, however long what is applied lags behind what is written: past
/// the bound all points together are known by the newest write.
///
/// Threads: one at a time.
class TouchedIds {
 public:
  static constexpr std::size_t kMax = 65'536;

  /// All that was written up to `all` is waited for. `max`: of what is held, at least 1.
  explicit TouchedIds(Seq all, std::size_t max = kMax) : all_(all), max_(max) {}

  /// These were written at `seq`, which grows from call to call.
  void add(const std::vector<std::uint64_t>& hashes, Seq seq);
  /// Something was written up to here, and not known what.
  void add_all(Seq seq);
  /// What was written behind `last` never happened.
  void truncate_after(Seq last);
  /// All is applied up to here, and the log ends with `tail`.
  void applied(Seq through, Seq tail);
  /// The state is that of `seq`.
  void reset(Seq seq);

  Seq needed(const std::vector<std::uint64_t>& hashes) const;
  std::size_t held() const noexcept { return by_hash_.size(); }

 private:
  std::unordered_map<std::uint64_t, Seq> by_hash_;
  Seq all_;
  std::size_t max_;
};

}  // namespace quiver::cluster::replication
