// Searches, scans, inserts, removals, rebuilds and snapshots at once. Readers check each answer
// against what can have been true while they looked; at the end FlatIndex decides.

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "storage/hnsw_index.h"
#include "tests/storage/index/world.h"

namespace quiver::storage {
namespace {

using testing::World;

/// When a slot was there, as its writer saw it: at most from `begun` to `removed`, at least from
/// `inserted` to `leaving`.
struct Life {
  /// Set before and after the insert.
  std::atomic<bool> begun{false};
  std::atomic<bool> inserted{false};
  /// Set before and after the removal.
  std::atomic<bool> leaving{false};
  std::atomic<bool> removed{false};
};

class Readers {
 public:
  Readers(const HnswIndex& index, const std::vector<Life>& lives, std::uint32_t dim)
      : index_(index), lives_(lives), dim_(dim) {}

  void start(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] { run(static_cast<std::uint32_t>(i)); });
    }
  }
  /// The number of wrong answers.
  std::size_t stop() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    return wrong_;
  }
  std::size_t asked() const { return asked_; }

 private:
  static constexpr std::size_t kAsked = 50;

  /// Slots whose numbers `n` divides.
  SlotSet every(std::uint32_t n) const {
    SlotSet set;
    for (std::uint32_t i = 0; i < lives_.size(); i += n) set.insert(Slot{i});
    return set;
  }

  void run(std::uint32_t seed) {
    testing::Clusters clusters(dim_, Metric::Euclidean, 1000 + seed);
    // One that is walked or scanned, one that is scanned, one whose slots are looked up.
    const std::array<SlotSet, 3> filters{every(2), every(150), every(600)};
    std::vector<bool> gone(lives_.size());
    std::vector<bool> here(lives_.size());
    for (std::size_t round = seed; !done_; ++round) {
      for (std::size_t i = 0; i < lives_.size(); ++i) {
        gone[i] = lives_[i].removed;
        here[i] = lives_[i].inserted;
      }
      const auto vector = clusters.next();
      IndexQuery query{.vector = vector, .k = kAsked, .ef = kAsked};
      if (round % 4 != 0) query.allowed = &filters[round % 4 - 1];
      const auto found = round % 8 < 4 ? index_.scan({}, query) : index_.search({}, query);
      ++asked_;
      if (!found.ok() || !std::is_sorted(found->begin(), found->end(), nearer)) {
        ++wrong_;
        continue;
      }
      for (const auto& [slot, distance] : *found) {
        const bool allowed = query.allowed == nullptr || query.allowed->contains(slot);
        if (!allowed || gone[raw(slot)] || !lives_[raw(slot)].begun) ++wrong_;
      }
      if (query.allowed != nullptr && query.allowed->size() <= kAsked) {
        wrong_ += missed(*query.allowed, here, *found);
      }
    }
  }

  /// Slots of `allowed` that were there all the time and were not found.
  std::size_t missed(const SlotSet& allowed, const std::vector<bool>& here,
                     const std::vector<Neighbor>& found) const {
    std::size_t count = 0;
    allowed.for_each([&](Slot slot) {
      if (!here[raw(slot)] || lives_[raw(slot)].leaving) return true;
      const bool known = std::any_of(found.begin(), found.end(), [&](const Neighbor& neighbor) {
        return neighbor.slot == slot;
      });
      count += known ? 0 : 1;
      return true;
    });
    return count;
  }

  const HnswIndex& index_;
  const std::vector<Life>& lives_;
  const std::uint32_t dim_;
  std::atomic<bool> done_{false};
  std::atomic<std::size_t> wrong_{0};
  std::atomic<std::size_t> asked_{0};
  std::vector<std::thread> threads_;
};

TEST_CASE("HnswIndex: searches meet inserts, removals, rebuilds and snapshots",
          "[storage][index][threads]") {
  constexpr std::uint32_t kDim = 8;
  constexpr std::size_t kSlots = 6000;
  IndexBuilder builder(2);
  World world(kDim, Metric::Euclidean, builder);
  std::vector<Life> lives(kSlots);
  Readers readers(*world.hnsw, lives, kDim);
  readers.start(2);
  std::atomic<bool> done{false};
  const auto file =
      std::filesystem::temp_directory_path() / ("quiver_threads_" + std::to_string(::getpid()));
  std::atomic<std::size_t> failed_saves{0};
  std::thread saver([&] {
    while (!done) failed_saves += world.hnsw->save({}, file).ok() ? 0 : 1;
  });

  // The window of live slots moves on, so that most slots die and graphs are rebuilt.
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    lives[i].begun = true;
    REQUIRE(raw(world.add()) == i);
    lives[i].inserted = true;
    if (i < 1500) continue;
    const Slot oldest{i - 1500};
    lives[raw(oldest)].leaving = true;
    world.remove(oldest);
    lives[raw(oldest)].removed = true;
    if (i % 1000 == 0) world.settle();
  }
  world.settle();
  done = true;
  saver.join();
  CHECK(readers.stop() == 0);
  CHECK(readers.asked() > 0);
  CHECK(failed_saves == 0);
  CHECK(world.hnsw->size() == 1500);
  world.check_scan();
  CHECK(world.recall() >= 0.97);
  CHECK(world.hnsw->counts().rebuilds > 0);
  const auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  CHECK(opened.ok());
  std::filesystem::remove(file);
}

TEST_CASE("HnswIndex: several indexes share the builder's threads", "[storage][index][threads]") {
  IndexBuilder builder(2);
  std::vector<std::unique_ptr<World>> worlds;
  for (std::uint32_t i = 0; i < 4; ++i) {
    worlds.push_back(
        std::make_unique<World>(8, Metric::Cosine, builder, testing::small_options(), i));
  }
  for (int i = 0; i < 1000; ++i) {
    for (auto& world : worlds) world->add();
  }
  for (auto& world : worlds) {
    world->settle();
    CHECK(world->hnsw->counts().graph_live == 1000);
    CHECK(world->recall(nullptr, 128, 10, 30) >= 0.97);
  }
}

}  // namespace
}  // namespace quiver::storage
