#include "cluster/replication/promotion.h"

#include <algorithm>

namespace quiver::cluster::replication {
namespace {

bool in_sync(const ShardState& record, const CopyId& copy) {
  return std::find(record.in_sync.begin(), record.in_sync.end(), copy) != record.in_sync.end();
}

ShardState next_term(const ShardState& record, const CopyId& primary) {
  ShardState result = record;
  result.term = Term{raw(record.term) + 1};
  result.primary = primary;
  ++result.epoch;
  return result;
}

}  // namespace

std::optional<ShardState> promote(const ShardState& record, std::span<const CopyReport> reports) {
  const CopyReport* best = nullptr;
  for (const CopyReport& report : reports) {
    if (report.copy == record.primary || !in_sync(record, report.copy)) continue;
    if (best == nullptr || best->last < report.last) best = &report;
  }
  if (best == nullptr) return std::nullopt;
  ShardState result = next_term(record, best->copy);
  auto& members = result.in_sync;
  members.erase(std::remove(members.begin(), members.end(), record.primary), members.end());
  return result;
}

std::optional<ShardState> force_promote(const ShardState& record, const CopyId& copy) {
  const auto place = record.copies.find(copy);
  if (place == record.copies.end()) return std::nullopt;
  ShardState result = next_term(record, copy);
  result.in_sync = {copy};
  result.copies.at(copy).state = CopyState::Active;
  return result;
}

std::optional<ShardState> add_copy(const ShardState& record, const CopyId& copy,
                                   const NodeId& node) {
  if (record.copies.count(copy) != 0) return std::nullopt;
  ShardState result = record;
  result.copies.emplace(copy, CopyPlace{node, CopyState::New});
  ++result.epoch;
  return result;
}

std::optional<ShardState> drop_copy(const ShardState& record, const CopyId& copy) {
  if (record.copies.count(copy) == 0 || copy == record.primary || in_sync(record, copy)) {
    return std::nullopt;
  }
  ShardState result = record;
  result.copies.erase(copy);
  ++result.epoch;
  return result;
}

}  // namespace quiver::cluster::replication
