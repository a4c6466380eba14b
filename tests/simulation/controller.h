#pragma once

#include <array>
#include <optional>

#include "tests/simulation/network.h"
#include "tests/simulation/sim_store.h"

namespace quiver::simulation {

/// Looks after the shard from outside: promotes a copy when the primary seems gone, replaces copies
/// that are, and moves them. What it knows may be outdated or wrong.
class Controller {
 public:
  explicit Controller(World& world) : world_(world) {}

  void start();
  /// Believe that the primary is gone.
  void suspect() { suspects_ = true; }
  /// Move a copy somewhere else. Nothing if one is being moved.
  void move(const CopyId& source);
  bool idle() const noexcept { return !move_; }

 private:
  struct Move {
    CopyId source;
    CopyId target;
    bool aborts = false;
  };

  void look();
  void promote_if_gone(const ShardState& record, Revision revision);
  bool replace_missing(const ShardState& record, Revision revision);
  void drive_move(const ShardState& record, Revision revision);
  void finish_move(const ShardState& record, Revision revision);
  void swap(Revision expected, const std::optional<ShardState>& desired);
  bool seems_gone(const CopyId& copy);
  std::optional<CopyId> fresh_copy();

  World& world_;
  std::array<Micros, kCopiesMax> answered_{};
  std::optional<Move> move_;
  bool suspects_ = false;
  bool swapping_ = false;
  std::size_t made_ = 0;
};

}  // namespace quiver::simulation
