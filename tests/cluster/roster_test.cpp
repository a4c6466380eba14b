// Who may enter a cluster, and the transaction that lets them in.

#include "cluster/roster.h"

#include <catch2/catch.hpp>

#include "cluster/membership.h"
#include "cluster/membership_file.h"
#include "cluster/options.h"
#include "cluster/version_gate.h"
#include "cluster/view/keys.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

NodeRecord server(char digit, std::string address, NodeState state = NodeState::Active) {
  NodeRecord record;
  record.id = {std::string(32, digit)};
  record.label = address;
  record.rpc_address = std::move(address);
  record.version = "0.1.0";
  record.state = state;
  record.joined_at_ms = 7;
  return record;
}

Roster roster_of(const std::vector<NodeRecord>& records) {
  Roster out;
  std::uint64_t revision = 10;
  for (const auto& record : records) {
    out.nodes[record.id] = {record, Revision{++revision}};
    out.slots.slots.push_back(record.id);
  }
  out.slots_revision = Revision{99};
  return out;
}

ClusterOptions sound() {
  ClusterOptions options;
  options.coordination = "managed";
  options.token = "sixteen bytes and more";
  options.host = "10.0.0.1";
  options.nodes = {"10.0.0.1:7700", "10.0.0.2:7700", "10.0.0.3:7700"};
  return options;
}

/// The problem of options that `change` made wrong.
template <typename Change>
std::string problem(Change change) {
  auto options = sound();
  change(options);
  const auto checked = check(options);
  return checked.ok() ? "" : checked.error().message;
}

}  // namespace

TEST_CASE("Roster: a newcomer gets the first free place", "[cluster][membership]") {
  auto roster = roster_of({server('a', "h:1"), server('b', "h:2")});
  roster.slots.slots[0] = std::nullopt;
  const auto self = server('c', "h:3", NodeState::Joining);
  REQUIRE(may_enter(roster, self).ok());
  const auto change = registration(roster, self);
  REQUIRE(change.ok());
  REQUIRE(change->compares.size() == 2);
  CHECK(change->compares[0].key == keys::node(self.id));
  CHECK(change->compares[0].revision == Revision{0});
  CHECK(change->compares[1].key == keys::kSlots);
  CHECK(change->compares[1].revision == Revision{99});
  const auto slots = SlotList::from_json(Json::parse(*change->puts[1].value));
  REQUIRE(slots.ok());
  CHECK(slots->slots.size() == 2);
  CHECK(slots->slots[0] == self.id);
}

TEST_CASE("Roster: who is there already changes nothing", "[cluster][membership]") {
  const auto roster = roster_of({server('a', "h:1", NodeState::Draining)});
  const auto same = registration(roster, server('a', "h:1", NodeState::Joining));
  REQUIRE(same.ok());
  CHECK_FALSE(same->needed());
  const auto moved = registration(roster, server('a', "h:9", NodeState::Joining));
  REQUIRE(moved.ok());
  REQUIRE(moved->needed());
  const auto record = NodeRecord::from_json(Json::parse(*moved->puts[0].value));
  REQUIRE(record.ok());
  CHECK(record->state == NodeState::Draining);
  CHECK(record->rpc_address == "h:9");
  CHECK(record->joined_at_ms == 7);
}

TEST_CASE("Roster: who may not enter", "[cluster][membership]") {
  const auto roster = roster_of({server('a', "h:1"), server('b', "h:2", NodeState::Removed)});
  CHECK(may_enter(roster, server('a', "h:5")).ok());
  CHECK_FALSE(may_enter(roster, server('b', "h:2")).ok());
  const auto taken = may_enter(roster, server('c', "h:1"));
  REQUIRE_FALSE(taken.ok());
  // What to do, whichever of the two it is.
  CHECK_THAT(taken.error().message, Catch::Contains("remove that server from the cluster first") &&
                                        Catch::Contains("correct cluster.advertise_host"));
  // The address of one that was removed is free.
  CHECK(may_enter(roster, server('c', "h:2")).ok());
  auto namesake = server('c', "h:3");
  namesake.label = "h:1";
  CHECK_FALSE(may_enter(roster, namesake).ok());
}

TEST_CASE("Versions: neighbours go together", "[cluster][membership]") {
  CHECK(check_versions("0.4.0", "0.4.9").ok());
  CHECK(check_versions("0.4.0", "0.5.0").ok());
  CHECK(check_versions("0.5.0", "0.4.0").ok());
  CHECK_FALSE(check_versions("0.4.0", "0.6.0").ok());
  CHECK_FALSE(check_versions("0.6.0", "0.4.0").ok());
  CHECK_FALSE(check_versions("1.0.0", "0.0.0").ok());
  for (const char* text : {"", "1", "1.", "1.2", "x.1.0", "1.x.0"}) {
    CHECK_FALSE(check_versions("1.1.0", text).ok());
  }
}

TEST_CASE("Incarnations: grow, and are ids", "[cluster][membership]") {
  CHECK(draw_incarnation(2'000) > draw_incarnation(1'000));
  CHECK(incarnation_text(0) == std::string(32, '0'));
  CHECK(incarnation_text(0xabc) == std::string(29, '0') + "abc");
}

TEST_CASE("MembershipFile: what is written is read", "[cluster][membership]") {
  const TempDir dir;
  REQUIRE(MembershipFile::read(dir.path()).ok());
  CHECK_FALSE(*MembershipFile::read(dir.path()));
  const MembershipFile file{"pond", std::string(32, 'a'), true};
  REQUIRE(file.write(dir.path()).ok());
  CHECK(**MembershipFile::read(dir.path()) == file);
  for (const char* text : {"", "{}", "[]", R"({"cluster":1,"cluster_id":"a","moving_in":false})",
                           R"({"cluster":"a","cluster_id":"b","moving_in":false})"}) {
    dir.write("CLUSTER", text);
    const auto read = MembershipFile::read(dir.path());
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("ClusterOptions: what cannot be is named", "[cluster][membership]") {
  CHECK(problem([](auto&) {}).empty());
  CHECK(problem([](auto& o) { o.coordination = "embedded", o.token.clear(); }).empty());
  const auto names = [](const std::string& key, const std::string& said) {
    INFO(said);
    CHECK(said.find("cluster." + key + ":") != std::string::npos);
  };
  names("name", problem([](auto& o) { o.name = "a/b"; }));
  names("token", problem([](auto& o) { o.token.clear(); }));
  names("token", problem([](auto& o) { o.token = "short"; }));
  names("tls", problem([](auto& o) { o.tls_ca = "ca.pem"; }));
  names("nodes", problem([](auto& o) { o.nodes.pop_back(); }));
  names("nodes", problem([](auto& o) { o.nodes.clear(); }));
  names("nodes", problem([](auto& o) { o.nodes[1] = o.nodes[0]; }));
  names("nodes", problem([](auto& o) { o.nodes[1] = "10.0.0.2"; }));
  names("nodes", problem([](auto& o) { o.nodes.assign(9, "h:1"); }));
  names("endpoints", problem([](auto& o) { o.endpoints = {"http://h:1"}; }));
  names("endpoints", problem([](auto& o) { o.coordination = "etcd"; }));
  names("etcd_user", problem([](auto& o) { o.etcd_user = "a"; }));
  names("dns_name", problem([](auto& o) { o.discovery = "dns"; }));
  names("dns_name", problem([](auto& o) { o.dns_name = "h:1"; }));
  names("port", problem([](auto& o) { o.port = 0; }));
  names("advertise_host", problem([](auto& o) { o.host = "0.0.0.0"; }));
  names("advertise_host", problem([](auto& o) { o.advertise_host = "::"; }));
  names("down_after_ms", problem([](auto& o) { o.down_after_ms = 999; }));
}

TEST_CASE("ClusterOptions: addresses follow from each other", "[cluster][membership]") {
  auto options = sound();
  CHECK(options.rpc_address() == "10.0.0.1:7700");
  CHECK(options.is_first_member());
  CHECK(*options.etcd_client_url("10.0.0.2:7700") == "http://10.0.0.2:7701");
  CHECK(*options.etcd_peer_url("10.0.0.2:7700") == "http://10.0.0.2:7702");
  options.etcd_client_port = 2379;
  options.tls_certificate = "c.pem";
  CHECK(*options.etcd_client_url("[::1]:7700") == "https://[::1]:2379");
  options.advertise_host = "::1";
  CHECK(options.rpc_address() == "[::1]:7700");
  CHECK_FALSE(options.is_first_member());
  CHECK_FALSE(options.etcd_client_url("nowhere").ok());
}

}  // namespace quiver::cluster
