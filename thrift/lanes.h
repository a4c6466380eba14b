#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

#include "core/mutex.h"
#include "thrift/options.h"

namespace quiver::thrift {

/// Counts the connections of a server by what they are used for, and keeps each count bounded.
///
/// Threads: any. Outlives its places.
class Lanes {
 public:
  explicit Lanes(const ServerOptions& options);

  /// One connection's place in a lane, given up when it is destroyed.
  class Place {
   public:
    Place(Lanes& lanes, std::size_t lane) : lanes_(&lanes), lane_(lane) {}
    Place(Place&& other) noexcept;
    Place& operator=(Place&& other) noexcept;
    ~Place();

   private:
    void leave() noexcept;

    Lanes* lanes_;
    std::size_t lane_;
  };

  /// Nothing if the lane is full.
  std::optional<Place> enter_greeting() { return enter(0); }
  std::optional<Place> enter(Purpose purpose) { return enter(static_cast<std::size_t>(purpose)); }
  std::size_t bound(Purpose purpose) const { return bounds_[static_cast<std::size_t>(purpose)]; }
  std::size_t used(Purpose purpose) const;
  std::size_t greeting() const;

 private:
  std::optional<Place> enter(std::size_t lane);

  std::array<std::size_t, kPurposes + 1> bounds_;
  mutable Mutex mutex_;
  std::array<std::size_t, kPurposes + 1> used_ QV_GUARDED_BY(mutex_){};
};

}  // namespace quiver::thrift
