#include "storage/tie_break.h"

#include <algorithm>
#include <span>
#include <utility>

#include "storage/distance.h"
#include "storage/query_plan.h"

namespace quiver::storage {
namespace {

/// Ids looked up, or passed over, between two looks at the deadline.
constexpr std::size_t kIdsPerCheck = 1024;

using Chosen = std::optional<std::vector<Neighbor>>;

/// Looks up the ids of all that tie.
Result<Chosen> choose_by_lookup(const PointStore::View& view, const CallContext& call,
                                std::span<const Neighbor> tied, std::size_t count) {
  std::vector<std::pair<PointId, Neighbor>> named;
  named.reserve(tied.size());
  for (std::size_t start = 0; start < tied.size(); start += kIdsPerCheck) {
    QV_CHECK(call.check());
    const auto part = tied.subspan(start, std::min(kIdsPerCheck, tied.size() - start));
    std::vector<Slot> slots;
    slots.reserve(part.size());
    for (const auto& neighbor : part) slots.push_back(neighbor.slot);
    QV_TRY(auto owners, view.slots(slots));
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (!owners[i]) return Chosen();
      named.emplace_back(std::move(owners[i]->id), part[i]);
    }
  }
  const auto middle = named.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(named.begin(), middle, named.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Neighbor> chosen;
  for (auto at = named.begin(); at != middle; ++at) chosen.push_back(at->second);
  return Chosen(std::move(chosen));
}

/// Walks through the points in order of id until enough of them are among those that tie.
Result<Chosen> choose_by_walk(const PointStore::View& view, const CallContext& call,
                              std::span<const Neighbor> tied, std::size_t count, Slot horizon) {
  SlotSet slots;
  for (const auto& neighbor : tied) slots.insert(neighbor.slot);
  SlotSet first;
  bool replaced = false;
  std::size_t steps = 0;
  auto walked =
      view.each_point(std::nullopt, [&](const PointId&, const PointRecord& record) -> Result<bool> {
        if (++steps % kIdsPerCheck == 0) QV_CHECK(call.check());
        if (slots.contains(record.slot)) first.insert(record.slot);
        replaced = !slots.contains(record.slot) && raw(record.slot) >= raw(horizon);
        return !replaced && first.size() < count;
      });
  QV_CHECK(std::move(walked));
  if (replaced || first.size() < count) return Chosen();
  std::vector<Neighbor> chosen;
  for (const auto& neighbor : tied) {
    if (first.contains(neighbor.slot)) chosen.push_back(neighbor);
  }
  return Chosen(std::move(chosen));
}

}  // namespace

Result<std::optional<std::vector<Neighbor>>> break_ties(const PointStore::View& view,
                                                        const CallContext& call, Metric metric,
                                                        Found found, std::size_t wanted) {
  auto& near = found.near;
  if (near.size() <= wanted) return Chosen(std::move(near));
  const float last = near[wanted - 1].distance;
  const auto ties = [&](const Neighbor& neighbor) {
    return alike(metric, neighbor.distance, last);
  };
  const auto begin = std::find_if(near.begin(), near.end(), ties);
  const auto end = std::find_if_not(begin, near.end(), ties);
  const auto sure = static_cast<std::size_t>(begin - near.begin());
  const auto tied = std::span(begin, end);
  const std::size_t count = wanted - sure;
  if (tied.size() > count) {
    QV_TRY(const auto chosen, scroll_by_slots(found.live, tied.size(), count)
                                  ? choose_by_lookup(view, call, tied, count)
                                  : choose_by_walk(view, call, tied, count, found.horizon));
    if (!chosen) return Chosen();
    std::copy(chosen->begin(), chosen->end(), begin);
  }
  near.resize(wanted);
  return Chosen(std::move(near));
}

}  // namespace quiver::storage
