#include "cluster/placement/plan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/text.h"

namespace quiver::cluster {
namespace {

constexpr std::string_view kPlan = "plan";
constexpr std::size_t kIdDigits = 32;
constexpr std::array<std::pair<MoveReason, std::string_view>, 5> kReasons{{
    {MoveReason::Refill, "refill"},
    {MoveReason::Drain, "drain"},
    {MoveReason::Spread, "spread"},
    {MoveReason::Balance, "balance"},
    {MoveReason::Manual, "manual"},
}};

Error malformed(const std::string& why) {
  return {ErrorCode::Corruption, "a stored " + std::string(kPlan) + " is malformed: " + why};
}

Status check_fields(const Json& json, std::size_t count) {
  if (!json.is_object()) return malformed("not an object");
  if (json.size() == count) return Done{};
  return malformed("has " + std::to_string(json.size()) + " fields instead of " +
                   std::to_string(count));
}

Result<std::string> read_id(const Json& json) {
  auto text = json.get<std::string>();
  const bool hexadecimal = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (text.size() == kIdDigits && hexadecimal) return text;
  return malformed('"' + text + "\" is no id of 32 hexadecimal digits");
}

/// Refuses what a conversion would bend, such as -1 and 1.5.
template <typename Number>
Result<Number> read_number(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (number <= std::numeric_limits<Number>::max()) return static_cast<Number>(number);
  }
  return malformed(json.dump() + " is no number of its field");
}

Result<ShardId> read_shard(const Json& json) {
  QV_TRY(const auto number, read_number<std::uint32_t>(json));
  return ShardId{number};
}

/// Errors of the JSON library become errors of ours.
template <typename T, typename Read>
Result<T> reading(Read read) {
  try {
    return read();
  } catch (const Json::exception& problem) {
    return malformed(problem.what());
  }
}

template <typename T>
Json list_to_json(const std::vector<T>& list) {
  Json out = Json::array();
  for (const auto& item : list) out.push_back(item.to_json());
  return out;
}

template <typename T>
Result<std::vector<T>> list_from_json(const Json& json) {
  if (!json.is_array()) return malformed("a list is none");
  std::vector<T> out;
  for (const auto& item : json) {
    QV_TRY(auto value, T::from_json(item));
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace

std::string_view name(MoveReason reason) noexcept {
  for (const auto& [value, text] : kReasons) {
    if (value == reason) return text;
  }
  return "unknown";
}

Json Move::to_json() const {
  return {{"collection", collection},
          {"collection_id", collection_id},
          {"shard", raw(shard)},
          {"copy", copy ? Json(copy->text) : Json(nullptr)},
          {"from", from ? Json(from->text) : Json(nullptr)},
          {"to", to.text},
          {"reason", name(reason)}};
}

Result<Move> Move::from_json(const Json& json) {
  return reading<Move>([&]() -> Result<Move> {
    QV_CHECK(check_fields(json, 7));
    Move out;
    json.at("collection").get_to(out.collection);
    QV_TRY(out.collection_id, read_id(json.at("collection_id")));
    QV_TRY(out.shard, read_shard(json.at("shard")));
    QV_TRY(out.to.text, read_id(json.at("to")));
    if (json.at("copy").is_null() != json.at("from").is_null()) {
      return malformed("a move has a copy without a node, or a node without a copy");
    }
    if (!json.at("copy").is_null()) {
      QV_TRY(auto moved, read_id(json.at("copy")));
      QV_TRY(auto node, read_id(json.at("from")));
      out.copy = CopyId{std::move(moved)};
      out.from = NodeId{std::move(node)};
    }
    const auto wanted = json.at("reason").get<std::string>();
    for (const auto& [value, text] : kReasons) {
      if (text != wanted) continue;
      out.reason = value;
      return out;
    }
    return malformed("unknown reason \"" + wanted + '"');
  });
}

Json RoleSwap::to_json() const {
  return {{"collection", collection},
          {"collection_id", collection_id},
          {"shard", raw(shard)},
          {"from", from.text},
          {"to", to.text}};
}

Result<RoleSwap> RoleSwap::from_json(const Json& json) {
  return reading<RoleSwap>([&]() -> Result<RoleSwap> {
    QV_CHECK(check_fields(json, 5));
    RoleSwap out;
    json.at("collection").get_to(out.collection);
    QV_TRY(out.collection_id, read_id(json.at("collection_id")));
    QV_TRY(out.shard, read_shard(json.at("shard")));
    QV_TRY(out.from.text, read_id(json.at("from")));
    QV_TRY(out.to.text, read_id(json.at("to")));
    return out;
  });
}

Json Unresolved::to_json() const {
  return {{"collection", collection}, {"shard", raw(shard)}, {"why", why}};
}

Result<Unresolved> Unresolved::from_json(const Json& json) {
  return reading<Unresolved>([&]() -> Result<Unresolved> {
    QV_CHECK(check_fields(json, 3));
    Unresolved out;
    json.at("collection").get_to(out.collection);
    QV_TRY(out.shard, read_shard(json.at("shard")));
    json.at("why").get_to(out.why);
    return out;
  });
}

std::string Plan::plan_id() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const Json decided = {
      {"epoch", epoch}, {"moves", list_to_json(moves)}, {"role_swaps", list_to_json(role_swaps)}};
  auto hash = stable_hash(decided.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::string out(16, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit) {
    *digit = kDigits[hash & 0xFU];
    hash >>= 4U;
  }
  return out;
}

Json Plan::to_json() const {
  return {{"plan_id", plan_id()},
          {"epoch", epoch},
          {"moves", list_to_json(moves)},
          {"role_swaps", list_to_json(role_swaps)},
          {"unresolved", list_to_json(unresolved)},
          {"moves_left_out", moves_left_out}};
}

Result<Plan> Plan::from_json(const Json& json) {
  return reading<Plan>([&]() -> Result<Plan> {
    QV_CHECK(check_fields(json, 6));
    Plan out;
    QV_TRY(out.epoch, read_number<std::uint64_t>(json.at("epoch")));
    QV_TRY(out.moves, list_from_json<Move>(json.at("moves")));
    QV_TRY(out.role_swaps, list_from_json<RoleSwap>(json.at("role_swaps")));
    QV_TRY(out.unresolved, list_from_json<Unresolved>(json.at("unresolved")));
    QV_TRY(out.moves_left_out, read_number<std::uint64_t>(json.at("moves_left_out")));
    if (json.at("plan_id").get<std::string>() != out.plan_id()) {
      return malformed("its plan_id is not that of its moves");
    }
    return out;
  });
}

}  // namespace quiver::cluster
