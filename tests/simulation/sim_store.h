#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cluster/replication/events.h"

namespace quiver::simulation {

struct World;

using cluster::Revision;
using cluster::ShardState;
using cluster::replication::SwapOutcome;

/// The coordination store: one record, changed by compare-and-swap. Its answers come late or never,
/// and what it shows may be outdated.
class SimStore {
 public:
  /// Who asks, by number of copy; the controller is none of them.
  static constexpr std::size_t kController = ~std::size_t{0};
  using Answer = std::function<void(SwapOutcome, Revision)>;
  using Show = std::function<void(const ShardState&, Revision)>;

  SimStore(World& world, ShardState first);

  void swap(std::size_t who, Revision expected, std::shared_ptr<const ShardState> desired,
            Answer answer);
  void read(std::size_t who, Show show);

  const ShardState& record() const { return *history_.back(); }
  /// What it was before that.
  const ShardState& previous() const {
    return *history_[history_.size() - (history_.size() > 1 ? 2 : 1)];
  }
  Revision revision() const { return Revision{history_.size()}; }
  bool idle() const noexcept { return under_way_ == 0; }
  void set_down(bool down) { down_ = down; }

 private:
  bool reaches(std::size_t who) const;
  void arrive(std::size_t who, Revision expected, const std::shared_ptr<const ShardState>& desired,
              bool answered, const Answer& answer);
  void tell_watchers();

  World& world_;
  std::vector<std::shared_ptr<const ShardState>> history_;
  std::size_t under_way_ = 0;
  bool down_ = false;
};

}  // namespace quiver::simulation
