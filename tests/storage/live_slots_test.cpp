#include "storage/live_slots.h"

#include <catch2/catch.hpp>

using namespace quiver::storage;

namespace {

std::vector<std::uint32_t> list(const SlotSet& set) {
  std::vector<std::uint32_t> out;
  set.for_each([&](Slot slot) {
    out.push_back(raw(slot));
    return true;
  });
  return out;
}

using Slots = std::vector<std::uint32_t>;

void change(LiveSlots& live, std::vector<LiveSlots::Entry> removed,
            std::vector<LiveSlots::Entry> added) {
  live.change(removed, added);
}

}  // namespace

TEST_CASE("LiveSlots: holds what was added and not removed", "[storage][live]") {
  LiveSlots live;
  CHECK(live.size() == 0);
  CHECK(live.moment(0).horizon == Slot{0});
  change(live, {}, {{Slot{0}}, {Slot{5}}, {Slot{9}}});
  change(live, {{Slot{5}}}, {{Slot{10}}});
  CHECK(list(live.visible(0)) == Slots{0, 9, 10});
  CHECK(list(live.visible(0, Slot{9})) == Slots{9, 10});
  CHECK(live.moment(0).live == 3);
  CHECK(live.moment(0).horizon == Slot{11});
  CHECK(live.version() == 2);
  CHECK(live.moment(0).version == 2);
  change(live, {{Slot{10}}}, {});
  // Slots are never given out twice: the horizon stays.
  CHECK(live.moment(0).horizon == Slot{11});
}

TEST_CASE("LiveSlots: an expired slot is invisible from its moment on", "[storage][live]") {
  LiveSlots live;
  change(live, {}, {{Slot{1}, 100}, {Slot{2}, 50}, {Slot{3}, 0}, {Slot{4}, 50}});
  CHECK(list(live.visible(49)) == Slots{1, 2, 3, 4});
  CHECK(list(live.visible(50)) == Slots{1, 3});
  CHECK(list(live.visible(100)) == Slots{3});
  CHECK(list(live.visible(100, Slot{1})) == Slots{3});
  CHECK(list(live.moment(50).expired) == Slots{2, 4});
  CHECK(live.moment(50).live == 4);
  CHECK(live.expired(200, 10) == std::vector<Slot>{Slot{2}, Slot{4}, Slot{1}});
  CHECK(live.expired(200, 1) == std::vector<Slot>{Slot{2}});
  CHECK(live.expired(200, 0).empty());
  CHECK(live.expired(49, 10).empty());
  change(live, {{Slot{2}, 50}}, {});
  CHECK(list(live.moment(50).expired) == Slots{4});
}
