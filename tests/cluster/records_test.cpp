// What the coordination store holds survives the way there and back; anything else is refused.

#include "cluster/view/records.h"

#include <functional>

#include <catch2/catch.hpp>

using namespace quiver;
using namespace quiver::cluster;

namespace {

std::string id(char digit) {
  return std::string(32, digit);
}

NodeRecord node() {
  return {{id('a')}, "one",   "10.0.0.1:7700",   "10.0.0.1:7600",  "rack-1",
          2.5,       "0.1.0", NodeState::Active, 1'700'000'000'123};
}

ShardState shard() {
  return {Term{3},
          {id('1')},
          {{id('1')}, {id('2')}},
          {{{id('1')}, {{id('a')}, CopyState::Active}},
           {{id('2')}, {{id('b')}, CopyState::Active}},
           {{id('3')}, {{id('c')}, CopyState::New}}},
          7};
}

template <typename T>
void check_round_trip(const T& value) {
  const auto back = T::from_json(Json::parse(value.to_json().dump()));
  REQUIRE(back.ok());
  CHECK(*back == value);
}

template <typename T>
void check_refused(const T& value, const std::function<void(Json&)>& damage) {
  Json json = value.to_json();
  damage(json);
  INFO(json.dump());
  const auto back = T::from_json(json);
  REQUIRE_FALSE(back.ok());
  CHECK(back.error().code == ErrorCode::Corruption);
}

}  // namespace

TEST_CASE("Records: what is stored is what is read", "[cluster][view]") {
  check_round_trip(node());
  check_round_trip(ClusterRecord{id('7'), "pond", 1, 5});
  check_round_trip(AliveRecord{id('9'), 5, "10.0.0.1:7700"});
  check_round_trip(SlotList{{NodeId{id('a')}, std::nullopt, NodeId{id('b')}}});
  check_round_trip(SlotList{});
  check_round_trip(shard());
  for (const auto state : {NodeState::Joining, NodeState::Draining, NodeState::Removed}) {
    auto other = node();
    other.state = state;
    check_round_trip(other);
  }
}

TEST_CASE("Records: the primary's server is found through its copy", "[cluster][view]") {
  CHECK(*shard().primary_node() == NodeId{id('a')});
  auto lost = shard();
  lost.primary = {id('f')};
  CHECK(lost.primary_node() == nullptr);
}

TEST_CASE("Records: a malformed node is refused", "[cluster][view]") {
  check_refused(node(), [](Json& json) { json.erase("zone"); });
  check_refused(node(), [](Json& json) { json["extra"] = 1; });
  check_refused(node(), [](Json& json) { json["state"] = "asleep"; });
  check_refused(node(), [](Json& json) { json["weight"] = 0; });
  check_refused(node(), [](Json& json) { json["weight"] = "much"; });
  check_refused(node(), [](Json& json) { json["id"] = "A"; });
  check_refused(node(), [](Json& json) { json = Json::array(); });
  check_refused(AliveRecord{id('9'), 5, "10.0.0.1:7700"},
                [](Json& json) { json["incarnation"] = ""; });
}

TEST_CASE("Records: a malformed list of slots is refused", "[cluster][view]") {
  const SlotList slots{{NodeId{id('a')}, std::nullopt}};
  check_refused(slots, [](Json& json) { json["slots"][0] = "x"; });
  check_refused(slots, [](Json& json) { json["slots"].push_back(id('a')); });
  check_refused(slots, [](Json& json) { json["slots"] = {3}; });
}

TEST_CASE("Records: a shard state that contradicts itself is refused", "[cluster][view]") {
  check_refused(shard(), [](Json& json) { json["term"] = 0; });
  check_refused(shard(), [](Json& json) { json["epoch"] = 0; });
  check_refused(shard(), [](Json& json) { json["primary"] = id('f'); });
  check_refused(shard(), [](Json& json) { json["primary"] = id('3'); });
  check_refused(shard(), [](Json& json) { json["in_sync"].push_back(id('f')); });
  check_refused(shard(), [](Json& json) { json["in_sync"] = {id('2'), id('1')}; });
  check_refused(shard(), [](Json& json) { json["in_sync"] = {id('1'), id('1')}; });
  check_refused(shard(), [](Json& json) { json["copies"][id('1')]["state"] = "old"; });
  check_refused(shard(), [](Json& json) { json["copies"]["x"] = json["copies"][id('1')]; });
}
