#pragma once

#include <array>
#include <cstddef>

#include "tests/simulation/sim_copy.h"

namespace quiver::simulation {

constexpr std::size_t kCopiesMax = 16;

/// What lies between the copies, and between them and the store.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  void send(std::size_t from, std::size_t to, Packet packet);
  /// One direction. Cuts are counted: each is healed by itself.
  void cut(std::size_t from, std::size_t to, int by) { cuts_[from][to] += by; }
  void cut_store(std::size_t copy, int by) { store_cuts_[copy] += by; }

  /// Of all that a copy sends and gets.
  void slow_down(std::size_t copy, Micros until, Micros delay) { slow_[copy] = {until, delay}; }

  bool is_cut(std::size_t from, std::size_t to) const { return cuts_[from][to] > 0; }
  bool cut_from_store(std::size_t copy) const { return store_cuts_[copy] > 0; }
  void heal() {
    cuts_ = {};
    store_cuts_ = {};
    slow_ = {};
  }

 private:
  struct Slow {
    Micros until = 0;
    Micros delay = 0;
  };

  void carry(std::size_t from, std::size_t to, Packet packet);

  World& world_;
  std::array<std::array<int, kCopiesMax>, kCopiesMax> cuts_{};
  std::array<int, kCopiesMax> store_cuts_{};
  std::array<Slow, kCopiesMax> slow_{};
};

}  // namespace quiver::simulation
