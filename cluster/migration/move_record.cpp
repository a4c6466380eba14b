#include "cluster/migration/move_record.h"

#include <algorithm>
#include <array>
#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::size_t kFields = 10;
constexpr std::array<std::pair<MovePhase, std::string_view>, 7> kPhases{{
    {MovePhase::Planned, "planned"},
    {MovePhase::Adding, "adding"},
    {MovePhase::Copying, "copying"},
    {MovePhase::HandingOver, "handing_over"},
    {MovePhase::Done, "done"},
    {MovePhase::Failed, "failed"},
    {MovePhase::Aborted, "aborted"},
}};

Error malformed(const std::string& why) {
  return {ErrorCode::Corruption, "a stored record of a move is malformed: " + why};
}

Result<MovePhase> phase_named(const std::string& wanted) {
  for (const auto& [phase, text] : kPhases) {
    if (text == wanted) return phase;
  }
  return malformed("unknown phase \"" + wanted + '"');
}

}  // namespace

std::string_view name(MovePhase phase) noexcept {
  for (const auto& [known, text] : kPhases) {
    if (known == phase) return text;
  }
  return "unknown";
}

Json MoveRecord::to_json() const {
  return {{"move", move.to_json()},     {"to_copy", to_copy.text},
          {"phase", name(phase)},       {"error", error},
          {"attempts", attempts},       {"bytes_done", bytes_done},
          {"bytes_total", bytes_total}, {"operation", operation},
          {"started_ms", started_ms},   {"updated_ms", updated_ms}};
}

Result<MoveRecord> MoveRecord::from_json(const Json& json) {
  if (!json.is_object() || json.size() != kFields) return malformed("it has other fields");
  try {
    MoveRecord out;
    QV_TRY(out.move, Move::from_json(json.at("move")));
    if (!out.move.copy || !out.move.from) return malformed("it names no copy that is given up");
    json.at("to_copy").get_to(out.to_copy.text);
    QV_CHECK(RequestId::from_hex(out.to_copy.text));
    QV_TRY(out.phase, phase_named(json.at("phase").get<std::string>()));
    json.at("error").get_to(out.error);
    json.at("attempts").get_to(out.attempts);
    json.at("bytes_done").get_to(out.bytes_done);
    json.at("bytes_total").get_to(out.bytes_total);
    json.at("operation").get_to(out.operation);
    json.at("started_ms").get_to(out.started_ms);
    json.at("updated_ms").get_to(out.updated_ms);
    return out;
  } catch (const Json::exception& problem) {
    return malformed(problem.what());
  }
}

Result<MoveRecord> MoveRecord::parse(std::string_view text) {
  return from_json(Json::parse(text, nullptr, false));
}

}  // namespace quiver::cluster
