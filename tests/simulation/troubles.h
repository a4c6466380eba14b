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

 private:
  void cause();
  void crash(SimCopy& copy, Micros down);
  void cut_off(SimCopy& copy);
  void cut_one();
  void cut_from_store();
  void lose_disk();
  Micros a_while();
  SimCopy& any();
  /// Mostly the primary.
  SimCopy& victim();

  World& world_;
};

}  // namespace quiver::simulation
