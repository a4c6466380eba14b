// Compared with std::set after every kind of change, over the border between arrays and bitmaps.

#include "storage/slot_postings.h"

#include <random>
#include <set>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

std::vector<std::uint32_t> slots_of(const SlotPostings& postings) {
  SlotSet set;
  postings.add_to(set);
  std::vector<std::uint32_t> slots;
  set.for_each([&](Slot slot) {
    slots.push_back(raw(slot));
    return true;
  });
  CHECK(set.size() == slots.size());
  return slots;
}

void check_same(const SlotPostings& postings, const std::set<std::uint32_t>& model) {
  CHECK(postings.size() == model.size());
  CHECK(postings.empty() == model.empty());
  CHECK(slots_of(postings) == std::vector<std::uint32_t>(model.begin(), model.end()));
}

TEST_CASE("SlotPostings: holds none, one and a few", "[storage]") {
  SlotPostings postings;
  CHECK(postings.empty());
  CHECK_FALSE(postings.contains(Slot{0}));
  CHECK_FALSE(postings.erase(Slot{0}));
  CHECK(postings.insert(Slot{7}));
  CHECK_FALSE(postings.insert(Slot{7}));
  CHECK(postings.contains(Slot{7}));
  CHECK_FALSE(postings.contains(Slot{0}));
  CHECK(postings.insert(Slot{70'000}));
  CHECK(postings.insert(Slot{0}));
  CHECK_FALSE(postings.insert(Slot{70'000}));
  CHECK(slots_of(postings) == std::vector<std::uint32_t>{0, 7, 70'000});
  CHECK(postings.erase(Slot{7}));
  CHECK_FALSE(postings.erase(Slot{7}));
  CHECK(postings.erase(Slot{70'000}));
  CHECK(postings.erase(Slot{0}));
  CHECK(postings.empty());
  CHECK(slots_of(postings).empty());
  CHECK(postings.insert(Slot{1}));
  CHECK(slots_of(postings) == std::vector<std::uint32_t>{1});
}

TEST_CASE("SlotPostings: moving leaves an empty set behind", "[storage]") {
  SlotPostings from;
  from.insert(Slot{1});
  from.insert(Slot{2});
  SlotPostings to = std::move(from);
  CHECK(slots_of(to) == std::vector<std::uint32_t>{1, 2});
  CHECK(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK(slots_of(from).empty());
  from.insert(Slot{9});
  to = std::move(from);
  CHECK(slots_of(to) == std::vector<std::uint32_t>{9});
}

TEST_CASE("SlotPostings: agrees with a set while it fills up and empties again", "[storage]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  // Slots over two chunks: the first gets dense, the second stays sparse.
  const auto draw = [&] {
    return random() % 100 == 0 ? 65'536 + random() % 5000 : random() % 12'000;
  };
  SlotPostings postings;
  std::set<std::uint32_t> model;
  for (int phase = 0; phase < 4; ++phase) {
    const bool fills = phase % 2 == 0;
    for (int i = 0; i < 20'000; ++i) {
      const auto slot = static_cast<std::uint32_t>(draw());
      const bool inserts = (random() % 10 == 0) != fills;
      if (inserts) {
        if (postings.insert(Slot{slot}) != model.insert(slot).second) FAIL("insert " << slot);
      } else if (postings.erase(Slot{slot}) != (model.erase(slot) == 1)) {
        FAIL("erase " << slot);
      }
      const auto other = static_cast<std::uint32_t>(draw());
      if (postings.contains(Slot{other}) != (model.count(other) == 1)) FAIL("contains " << other);
      if (i % 1000 == 0) check_same(postings, model);
    }
    check_same(postings, model);
  }
  while (!model.empty()) {
    CHECK(postings.erase(Slot{*model.begin()}));
    model.erase(model.begin());
  }
  check_same(postings, model);
}

TEST_CASE("SlotSet: a word of slots at once is those slots", "[storage]") {
  SlotSet set;
  set.insert(Slot{65});
  set.insert_word(1, 0b110);
  set.insert_word(9, 0);
  CHECK(set.size() == 2);
  CHECK(set.contains(Slot{65}));
  CHECK(set.contains(Slot{66}));
  CHECK_FALSE(set.contains(Slot{64}));
}

}  // namespace
}  // namespace quiver::storage
