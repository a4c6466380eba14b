#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "cluster/placement/fair_shares.h"

namespace quiver::cluster {

/// Hands out a fixed number of copies to each seat, shard by shard.
///
/// No choice has ever to be undone, because this stays true: with m shards to go, no seat has more
/// than m copies to take, no zone more than m times what it may have of a shard, and all together
/// exactly what the m shards need. From there a solution always exists: dealt seat by seat and zone
/// by zone, copy i to shard i modulo m.
class Dealer {
 public:
  /// The seat that copy `replica` of the shard asks for at this attempt; none: no_seat().
  using Prefer = std::function<std::size_t(std::uint32_t replica, std::uint32_t attempt)>;
  static constexpr std::size_t no_seat() noexcept { return static_cast<std::size_t>(-1); }

  /// `quotas` by seat, with the properties above for the number of shards; zones are numbered from
  /// 0 to below `zone_count`.
  Dealer(std::vector<Seat> seats, std::size_t zone_count, std::uint32_t per_zone,
         std::vector<std::uint64_t> quotas);

  /// Different seats for the copies of one shard, with `to_go` shards to go, this one included. A
  /// copy asks a bounded number of times; then it gets the seat with most left to take.
  std::vector<std::size_t> deal(std::uint32_t copies, std::uint64_t to_go, const Prefer& prefer);

 private:
  struct Zone {
    std::uint32_t chosen = 0;
    /// Copies of this shard that it must get, or it could never get all of its own.
    std::uint64_t must = 0;
    /// Seats that must get one, and have none yet.
    std::uint64_t forced = 0;

    std::uint64_t needed() const noexcept;
  };

  void begin(std::uint64_t to_go);
  bool may_take(std::size_t seat, std::uint32_t copies) const;
  std::size_t fullest(std::uint32_t copies) const;
  void take(std::size_t seat);

  std::vector<Seat> seats_;
  std::uint32_t per_zone_;
  std::vector<std::uint64_t> quotas_;
  std::vector<Zone> zones_;
  std::vector<std::size_t> chosen_;
  std::uint64_t to_go_ = 0;
};

}  // namespace quiver::cluster
