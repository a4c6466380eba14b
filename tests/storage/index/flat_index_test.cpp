// FlatIndex is the oracle of the other indexes, so it is itself checked only against answers
// worked out by hand on a line of points: slot i lies at x = i.

#include "storage/flat_index.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

using Slots = std::vector<std::uint32_t>;

Slots slots(const std::vector<Neighbor>& neighbors) {
  Slots out;
  for (const auto& neighbor : neighbors) out.push_back(raw(neighbor.slot));
  return out;
}

SlotSet set_of(const Slots& members) {
  SlotSet set;
  for (const auto slot : members) set.insert(Slot{slot});
  return set;
}

struct Line {
  explicit Line(std::uint32_t count, Metric metric = Metric::Euclidean) : index(2, metric) {
    for (std::uint32_t i = 0; i < count; ++i) add(i);
  }
  void add(std::uint32_t i) {
    REQUIRE(index.insert(Slot{i}, std::vector{static_cast<float>(i), 0.0F}).ok());
  }
  Slots nearest(float x, std::size_t k, const SlotSet* allowed = nullptr) const {
    const std::vector<float> query{x, 0.0F};
    auto found = index.search({}, {.vector = query, .k = k, .allowed = allowed});
    REQUIRE(found.ok());
    return slots(*found);
  }
  FlatIndex index;
};

TEST_CASE("FlatIndex: search returns the nearest first, with its distance", "[storage][index]") {
  const Line line(10);
  CHECK(line.nearest(4.2F, 3) == Slots{4, 5, 3});
  const std::vector<float> query{4.0F, 3.0F};
  const auto found = line.index.search({}, {.vector = query, .k = 2});
  REQUIRE(found.ok());
  CHECK((*found)[0].distance == 9.0F);
  CHECK((*found)[1].distance == 10.0F);
}

TEST_CASE("FlatIndex: equal distances are ordered by slot", "[storage][index]") {
  const Line line(10);
  CHECK(line.nearest(4.5F, 2) == Slots{4, 5});
  CHECK(line.nearest(4.5F, 3) == Slots{4, 5, 3});
}

TEST_CASE("FlatIndex: a filter narrows the result, not the number asked for", "[storage][index]") {
  const Line line(10);
  const SlotSet even = set_of({0, 2, 4, 6, 8});
  CHECK(line.nearest(4.2F, 3, &even) == Slots{4, 6, 2});
}

TEST_CASE("FlatIndex: a filter may name slots that are not there", "[storage][index]") {
  const Line line(100);
  const SlotSet few = set_of({7, 500, 90});
  CHECK(line.nearest(0.0F, 10, &few) == Slots{7, 90});
  const SlotSet none;
  CHECK(line.nearest(0.0F, 10, &none).empty());
}

TEST_CASE("FlatIndex: k beyond the number of points returns them all", "[storage][index]") {
  const Line line(2);
  CHECK(line.nearest(0.0F, 100) == Slots{0, 1});
  CHECK(Line(0).nearest(0.0F, 1).empty());
}

TEST_CASE("FlatIndex: removal is idempotent", "[storage][index]") {
  Line line(2);
  REQUIRE(line.index.remove(Slot{1}).ok());
  REQUIRE(line.index.remove(Slot{1}).ok());
  REQUIRE(line.index.remove(Slot{77}).ok());
  CHECK(line.index.size() == 1);
  CHECK(line.nearest(1.0F, 10) == Slots{0});
}

TEST_CASE("FlatIndex: a slot is inserted once", "[storage][index]") {
  Line line(2);
  const auto again = line.index.insert(Slot{1}, std::vector{9.0F, 9.0F});
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().code == ErrorCode::InvalidArgument);
  CHECK(again.error().message == "slot 1 is in the index already");
  CHECK(line.index.size() == 2);
  CHECK(line.nearest(9.0F, 1) == Slots{1});
}

TEST_CASE("FlatIndex: what cannot be compared is refused and changes nothing", "[storage][index]") {
  Line line(1);
  const std::vector<float> three{1.0F, 2.0F, 3.0F};
  const std::vector<float> nan{1.0F, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> fine{1.0F, 2.0F};
  const auto message = [](const auto& result) {
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::InvalidArgument);
    return result.error().message;
  };
  const std::string wrong = "vector has 3 components; this collection takes 2";
  const std::string not_finite = "vector: every component must be a finite number";
  CHECK(message(line.index.search({}, {.vector = three})) == wrong);
  CHECK(message(line.index.scan({}, {.vector = three})) == wrong);
  CHECK(message(line.index.insert(Slot{5}, three)) == wrong);
  CHECK(message(line.index.search({}, {.vector = nan})) == not_finite);
  CHECK(message(line.index.insert(Slot{5}, nan)) == not_finite);
  CHECK(message(line.index.search({}, {.vector = fine, .k = 0})) == "k: must be at least 1, got 0");
  CHECK(line.index.size() == 1);
  CHECK(line.index.dim() == 2);
}

TEST_CASE("FlatIndex: each metric ranks as its name says", "[storage][index]") {
  // Three points seen from (1, 0): the same way but far, askew but near, opposite.
  const std::vector<std::vector<float>> points{{10.0F, 0.0F}, {1.0F, 0.5F}, {-1.0F, 0.0F}};
  const std::vector<float> query{1.0F, 0.0F};
  const auto ranked = [&](Metric metric, bool unit) {
    FlatIndex index(2, metric);
    for (std::uint32_t i = 0; i < points.size(); ++i) {
      const float length = unit ? std::hypot(points[i][0], points[i][1]) : 1.0F;
      REQUIRE(
          index.insert(Slot{i}, std::vector{points[i][0] / length, points[i][1] / length}).ok());
    }
    return slots(*index.search({}, {.vector = query, .k = 3}));
  };
  CHECK(ranked(Metric::Dot, false) == Slots{0, 1, 2});
  CHECK(ranked(Metric::Euclidean, false) == Slots{1, 2, 0});
  CHECK(ranked(Metric::Cosine, true) == Slots{0, 1, 2});
}

TEST_CASE("FlatIndex: removing nearly everything leaves the rest findable", "[storage][index]") {
  Line line(5000);
  Slots kept;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    if (i % 100 == 7) {
      kept.push_back(i);
    } else {
      REQUIRE(line.index.remove(Slot{i}).ok());
    }
  }
  CHECK(line.index.size() == 50);
  CHECK(line.nearest(0.0F, 100) == kept);
  for (std::uint32_t i = 5000; i < 5010; ++i) line.add(i);
  CHECK(line.nearest(6000.0F, 3) == Slots{5009, 5008, 5007});
  REQUIRE(line.index.remove(Slot{5009}).ok());
  CHECK(line.nearest(6000.0F, 1) == Slots{5008});
}

TEST_CASE("FlatIndex: a cancelled or late search says so", "[storage][index]") {
  const Line line(100);
  const std::vector<float> query{0.0F, 0.0F};
  const SlotSet few = set_of({1, 2});
  CallContext cancelled;
  cancelled.cancel = CancelToken::make();
  cancelled.cancel.cancel();
  CallContext late;
  late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  for (const auto* call : {&cancelled, &late}) {
    for (const SlotSet* allowed : {static_cast<const SlotSet*>(nullptr), &few}) {
      const auto found = line.index.search(*call, {.vector = query, .allowed = allowed});
      REQUIRE_FALSE(found.ok());
      CHECK(found.error().code == ErrorCode::DeadlineExceeded);
    }
  }
}

TEST_CASE("FlatIndex: readers meet a writer", "[storage][index][threads]") {
  // The writer keeps a window of 300 slots moving to the right. Whatever a reader is told must be
  // inside what the window can have been while it looked.
  Line line(300);
  std::atomic<std::uint32_t> low{0};
  std::atomic<std::uint32_t> high{300};
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&] {
      const std::vector<float> query{0.0F, 0.0F};
      while (!done) {
        const std::uint32_t low_before = low;
        const auto found = line.index.search({}, {.vector = query, .k = 10});
        const std::uint32_t high_after = high;
        if (!found.ok()) {
          ++wrong;
          continue;
        }
        for (const auto& [slot, distance] : *found) {
          const auto x = static_cast<float>(raw(slot));
          if (raw(slot) < low_before || raw(slot) > high_after || distance != x * x) ++wrong;
        }
      }
    });
  }
  for (std::uint32_t i = 300; i < 4000; ++i) {
    high = i;
    line.add(i);
    REQUIRE(line.index.remove(Slot{i - 300}).ok());
    low = i - 299;
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(line.index.size() == 300);
}

}  // namespace
}  // namespace quiver::storage
