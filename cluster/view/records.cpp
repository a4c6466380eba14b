#include "cluster/view/records.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::array<std::pair<NodeState, std::string_view>, 4> kNodeStates{{
    {NodeState::Joining, "joining"},
    {NodeState::Active, "active"},
    {NodeState::Draining, "draining"},
    {NodeState::Removed, "removed"},
}};
constexpr std::array<std::pair<CopyState, std::string_view>, 2> kCopyStates{{
    {CopyState::New, "new"},
    {CopyState::Active, "active"},
}};

template <typename State, std::size_t N>
std::string_view name_in(const std::array<std::pair<State, std::string_view>, N>& names,
                         State state) noexcept {
  for (const auto& [value, text] : names) {
    if (value == state) return text;
  }
  return "unknown";
}

Error malformed(std::string_view what, const std::string& why) {
  return {ErrorCode::Corruption, "a stored " + std::string(what) + " is malformed: " + why};
}

template <typename State, std::size_t N>
Result<State> state_in(const std::array<std::pair<State, std::string_view>, N>& names,
                       const std::string& wanted, std::string_view what) {
  for (const auto& [value, text] : names) {
    if (text == wanted) return value;
  }
  return malformed(what, "unknown state \"" + wanted + '"');
}

Status check_id(const std::string& text, std::string_view what) {
  const bool hexadecimal = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (text.size() == 32 && hexadecimal) return Done{};
  return malformed(what, "\"" + text + "\" is no id of 32 hexadecimal digits");
}

Status check_fields(const Json& json, std::size_t count, std::string_view what) {
  if (!json.is_object()) return malformed(what, "not an object");
  if (json.size() == count) return Done{};
  return malformed(
      what, "has " + std::to_string(json.size()) + " fields instead of " + std::to_string(count));
}

/// Errors of the JSON library become errors of ours.
template <typename T, typename Read>
Result<T> reading(std::string_view what, Read read) {
  try {
    return read();
  } catch (const Json::exception& problem) {
    return malformed(what, problem.what());
  }
}

Status check(const ShardState& state) {
  constexpr std::string_view kWhat = "shard state";
  if (raw(state.term) == 0 || state.epoch == 0) return malformed(kWhat, "term or epoch is 0");
  if (!state.copies.contains(state.primary)) {
    return malformed(kWhat, "the primary is none of the copies");
  }
  if (!std::is_sorted(state.in_sync.begin(), state.in_sync.end()) ||
      std::adjacent_find(state.in_sync.begin(), state.in_sync.end()) != state.in_sync.end()) {
    return malformed(kWhat, "the in-sync set is not sorted");
  }
  for (const auto& copy : state.in_sync) {
    if (!state.copies.contains(copy)) {
      return malformed(kWhat, "the in-sync set names a copy that is not there");
    }
  }
  if (!std::binary_search(state.in_sync.begin(), state.in_sync.end(), state.primary)) {
    return malformed(kWhat, "the primary is not in sync");
  }
  return Done{};
}

}  // namespace

std::string_view name(NodeState state) noexcept {
  return name_in(kNodeStates, state);
}

Json NodeRecord::to_json() const {
  return {{"id", id.text},
          {"label", label},
          {"rpc_address", rpc_address},
          {"http_address", http_address},
          {"zone", zone},
          {"weight", weight},
          {"version", version},
          {"state", name(state)},
          {"joined_at_ms", joined_at_ms}};
}

Result<NodeRecord> NodeRecord::from_json(const Json& json) {
  constexpr std::string_view kWhat = "node record";
  return reading<NodeRecord>(kWhat, [&]() -> Result<NodeRecord> {
    QV_CHECK(check_fields(json, 9, kWhat));
    NodeRecord out;
    json.at("id").get_to(out.id.text);
    json.at("label").get_to(out.label);
    json.at("rpc_address").get_to(out.rpc_address);
    json.at("http_address").get_to(out.http_address);
    json.at("zone").get_to(out.zone);
    json.at("weight").get_to(out.weight);
    json.at("version").get_to(out.version);
    json.at("joined_at_ms").get_to(out.joined_at_ms);
    QV_TRY(out.state, state_in(kNodeStates, json.at("state").get<std::string>(), kWhat));
    QV_CHECK(check_id(out.id.text, kWhat));
    if (!std::isfinite(out.weight) || out.weight <= 0.0) {
      return malformed(kWhat, "the weight is not above 0");
    }
    return out;
  });
}

Json AliveRecord::to_json() const {
  return {
      {"incarnation", incarnation}, {"started_at_ms", started_at_ms}, {"rpc_address", rpc_address}};
}

Result<AliveRecord> AliveRecord::from_json(const Json& json) {
  constexpr std::string_view kWhat = "sign of life";
  return reading<AliveRecord>(kWhat, [&]() -> Result<AliveRecord> {
    QV_CHECK(check_fields(json, 3, kWhat));
    AliveRecord out;
    json.at("incarnation").get_to(out.incarnation);
    json.at("started_at_ms").get_to(out.started_at_ms);
    json.at("rpc_address").get_to(out.rpc_address);
    QV_CHECK(check_id(out.incarnation, kWhat));
    return out;
  });
}

Json ClusterRecord::to_json() const {
  return {{"id", id}, {"name", name}, {"layout", layout}, {"founded_at_ms", founded_at_ms}};
}

Result<ClusterRecord> ClusterRecord::from_json(const Json& json) {
  constexpr std::string_view kWhat = "cluster";
  return reading<ClusterRecord>(kWhat, [&]() -> Result<ClusterRecord> {
    QV_CHECK(check_fields(json, 4, kWhat));
    ClusterRecord out;
    json.at("id").get_to(out.id);
    json.at("name").get_to(out.name);
    json.at("layout").get_to(out.layout);
    json.at("founded_at_ms").get_to(out.founded_at_ms);
    QV_CHECK(check_id(out.id, kWhat));
    return out;
  });
}

Json SlotList::to_json() const {
  Json list = Json::array();
  for (const auto& slot : slots) list.push_back(slot ? Json(slot->text) : Json(nullptr));
  return {{"slots", std::move(list)}};
}

Result<SlotList> SlotList::from_json(const Json& json) {
  constexpr std::string_view kWhat = "list of slots";
  return reading<SlotList>(kWhat, [&]() -> Result<SlotList> {
    QV_CHECK(check_fields(json, 1, kWhat));
    SlotList out;
    for (const auto& slot : json.at("slots")) {
      if (slot.is_null()) {
        out.slots.emplace_back();
        continue;
      }
      NodeId id{slot.get<std::string>()};
      QV_CHECK(check_id(id.text, kWhat));
      if (std::find(out.slots.begin(), out.slots.end(), id) != out.slots.end()) {
        return malformed(kWhat, id.text + " is there twice");
      }
      out.slots.emplace_back(std::move(id));
    }
    return out;
  });
}

const NodeId* ShardState::primary_node() const noexcept {
  const auto found = copies.find(primary);
  return found == copies.end() ? nullptr : &found->second.node;
}

Json ShardState::to_json() const {
  Json places = Json::object();
  for (const auto& [copy, place] : copies) {
    places[copy.text] = {{"node", place.node.text}, {"state", name_in(kCopyStates, place.state)}};
  }
  Json members = Json::array();
  for (const auto& copy : in_sync) members.push_back(copy.text);
  return {{"term", raw(term)},
          {"primary", primary.text},
          {"in_sync", std::move(members)},
          {"copies", std::move(places)},
          {"epoch", epoch}};
}

Result<ShardState> ShardState::from_json(const Json& json) {
  constexpr std::string_view kWhat = "shard state";
  return reading<ShardState>(kWhat, [&]() -> Result<ShardState> {
    QV_CHECK(check_fields(json, 5, kWhat));
    ShardState out;
    out.term = Term{json.at("term").get<std::uint64_t>()};
    json.at("primary").get_to(out.primary.text);
    for (const auto& copy : json.at("in_sync")) {
      out.in_sync.push_back({copy.get<std::string>()});
    }
    for (const auto& [copy, place] : json.at("copies").items()) {
      QV_CHECK(check_id(copy, kWhat));
      QV_CHECK(check_fields(place, 2, kWhat));
      CopyPlace at{{place.at("node").get<std::string>()}, CopyState::Active};
      QV_CHECK(check_id(at.node.text, kWhat));
      QV_TRY(at.state, state_in(kCopyStates, place.at("state").get<std::string>(), kWhat));
      out.copies.emplace(CopyId{copy}, std::move(at));
    }
    json.at("epoch").get_to(out.epoch);
    QV_CHECK(check(out));
    return out;
  });
}

Json DroppingRecord::to_json() const {
  Json ids = Json::array();
  for (const auto& node : nodes) ids.push_back(node.text);
  return {{"name", name}, {"nodes", std::move(ids)}};
}

Result<DroppingRecord> DroppingRecord::from_json(const Json& json) {
  constexpr std::string_view kWhat = "record of a deleted collection";
  return reading<DroppingRecord>(kWhat, [&]() -> Result<DroppingRecord> {
    QV_CHECK(check_fields(json, 2, kWhat));
    DroppingRecord out;
    json.at("name").get_to(out.name);
    for (const auto& node : json.at("nodes")) {
      out.nodes.push_back({node.get<std::string>()});
      QV_CHECK(check_id(out.nodes.back().text, kWhat));
    }
    if (!std::is_sorted(out.nodes.begin(), out.nodes.end())) {
      return malformed(kWhat, "its servers are not sorted");
    }
    return out;
  });
}

}  // namespace quiver::cluster
