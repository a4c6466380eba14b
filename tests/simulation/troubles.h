#pragma once

#include "tests/simulation/sim_copy.h"

namespace quiver::simulation {

/// What goes wrong, when and for how long.
class Troubles {
 public:
  explicit Troubles(World& world) : world_(world) {}

  void start();
  /// Ends all of it.
  void heal();
  /// Until it is started again, after a while.
  void crash(SimCopy& copy);

 private:
  void cause();
  void break_disk(SimCopy& copy);
  void cut_off(SimCopy& copy, Micros time, bool both);
  void cut_store(SimCopy& copy, Micros time);
  void hand_off(const CopyId& target);
  void cut_one();
  void cut_from_store();
  void lose_disk();
  void depose();
  Micros a_while();
  SimCopy& any();
  /// Mostly the primary.
  SimCopy& victim();

  World& world_;
};

}  // namespace quiver::simulation
