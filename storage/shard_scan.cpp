#include "storage/shard_scan.h"

#include <algorithm>
#include <utility>

#include "storage/point_assembly.h"
#include "storage/query_plan.h"

namespace quiver::storage {
namespace {

/// Points read between two looks at the deadline.
constexpr std::size_t kPointsPerCheck = 256;
/// Ids passed over between two looks at the deadline.
constexpr std::size_t kStepsPerCheck = 8192;

/// Collects points that match until there are enough, a few at a time.
class Page {
 public:
  Page(const PointStore::View& view, const CallContext& call, const ScrollQuery& query)
      : view_(view), call_(call), query_(query) {}

  bool full() const { return points_.size() >= query_.limit; }
  /// In order of id.
  Status add(FoundPoint point) {
    waiting_.push_back(std::move(point));
    const std::size_t wanted = query_.limit - points_.size();
    if (waiting_.size() < std::min(wanted, kPointsPerCheck)) return Done{};
    return settle();
  }
  Result<std::vector<Point>> take() {
    QV_CHECK(settle());
    return std::move(points_);
  }

 private:
  Status settle() {
    QV_CHECK(call_.check());
    QV_TRY(auto read, assemble(view_, waiting_, query_.projection, query_.filter));
    waiting_.clear();
    for (auto& point : read) {
      if (point && !full()) points_.push_back(std::move(*point));
    }
    return Done{};
  }

  const PointStore::View& view_;
  const CallContext& call_;
  const ScrollQuery& query_;
  std::vector<FoundPoint> waiting_;
  std::vector<Point> points_;
};

/// What a scroll knows before it begins.
struct Candidates {
  LiveSlots::Moment moment;
  std::optional<SlotSet> matches;

  /// A slot that was given out after the match was made is still to be judged.
  bool may_match(Slot slot) const {
    return !matches || raw(slot) >= raw(moment.horizon) || matches->contains(slot);
  }
};

Status walk_points(const PointStore::View& view, const CallContext& call, const ScrollQuery& query,
                   const Candidates& candidates, std::int64_t now_ms, Page& page) {
  std::size_t steps = 0;
  return view.each_point(
      query.after, [&](const PointId& id, const PointRecord& record) -> Result<bool> {
        if (++steps % kStepsPerCheck == 0) QV_CHECK(call.check());
        if (is_expired(record.expires_at_ms, now_ms) || !candidates.may_match(record.slot)) {
          return true;
        }
        QV_CHECK(page.add({record.slot, id, record.created_at_ms, record.expires_at_ms}));
        return !page.full();
      });
}

/// The points of the matching slots, and of those that came later, in order of id.
Result<std::vector<FoundPoint>> list_matches(const PointStore::View& view, const CallContext& call,
                                             const ScrollQuery& query, const Candidates& candidates,
                                             std::int64_t now_ms) {
  std::vector<FoundPoint> found;
  const auto keep = [&](Slot slot, const SlotRecord& record) {
    if (is_expired(record.expires_at_ms, now_ms)) return;
    if (query.after && record.id <= *query.after) return;
    found.push_back({slot, record.id, record.created_at_ms, record.expires_at_ms});
  };
  std::vector<Slot> slots;
  const auto look_up = [&]() -> Status {
    QV_CHECK(call.check());
    QV_TRY(const auto owners, view.slots(slots));
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (owners[i]) keep(slots[i], *owners[i]);
    }
    slots.clear();
    return Done{};
  };
  Status status = Done{};
  candidates.matches->for_each([&](Slot slot) {
    if (raw(slot) >= raw(candidates.moment.horizon)) return false;
    slots.push_back(slot);
    if (slots.size() == kPointsPerCheck) status = look_up();
    return status.ok();
  });
  QV_CHECK(std::move(status));
  QV_CHECK(look_up());
  QV_CHECK(view.each_slot(candidates.moment.horizon,
                          [&](Slot slot, const SlotRecord& record) -> Result<bool> {
                            keep(slot, record);
                            return true;
                          }));
  std::sort(found.begin(), found.end(),
            [](const FoundPoint& a, const FoundPoint& b) { return a.id < b.id; });
  return found;
}

}  // namespace

Result<std::vector<Point>> get_points(ShardState& state, std::span<const PointId> ids,
                                      const Projection& projection) {
  const auto now_ms = state.clock.wall_ms();
  const PointStore::View view(state.points);
  QV_TRY(const auto records, view.find(ids));
  std::vector<FoundPoint> found;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& record = records[i];
    if (!record || is_expired(record->expires_at_ms, now_ms)) continue;
    found.push_back({record->slot, ids[i], record->created_at_ms, record->expires_at_ms});
  }
  QV_TRY(auto read, assemble(view, found, projection, std::nullopt));
  std::vector<Point> points;
  points.reserve(read.size());
  for (auto& point : read) points.push_back(std::move(*point));
  return points;
}

Result<std::vector<Point>> scroll_points(ShardState& state, const CallContext& call,
                                         const ScrollQuery& query) {
  QV_CHECK(call.check());
  if (query.limit == 0)
    return Error{ErrorCode::InvalidArgument, "limit: must be at least 1, got 0"};
  const auto now_ms = state.clock.wall_ms();
  Candidates candidates;
  candidates.moment = state.live.moment(now_ms);
  if (query.filter) {
    QV_TRY(auto match, state.payloads.match(call, *query.filter));
    candidates.matches = std::move(match.slots);
  }
  const PointStore::View view(state.points);
  Page page(view, call, query);
  if (candidates.matches &&
      scroll_by_slots(candidates.moment.live, candidates.matches->size(), query.limit)) {
    QV_TRY(auto found, list_matches(view, call, query, candidates, now_ms));
    for (auto& point : found) {
      if (page.full()) break;
      QV_CHECK(page.add(std::move(point)));
    }
  } else {
    QV_CHECK(walk_points(view, call, query, candidates, now_ms, page));
  }
  return page.take();
}

Result<std::uint64_t> count_points(ShardState& state, const CallContext& call,
                                   const std::optional<Filter>& filter) {
  QV_CHECK(call.check());
  const auto moment = state.live.moment(state.clock.wall_ms());
  if (!filter) return moment.live - moment.expired.size();
  QV_TRY(auto match, state.payloads.match(call, *filter));
  match.slots -= moment.expired;
  if (match.exact) return match.slots.size();

  const PointStore::View view(state.points);
  std::uint64_t count = 0;
  std::vector<Slot> slots;
  const auto judge = [&]() -> Status {
    QV_CHECK(call.check());
    QV_TRY(const auto payloads, view.payloads(slots));
    for (const auto& record : payloads) count += record && filter->matches(record->payload) ? 1 : 0;
    slots.clear();
    return Done{};
  };
  Status status = Done{};
  match.slots.for_each([&](Slot slot) {
    slots.push_back(slot);
    if (slots.size() == kPointsPerCheck) status = judge();
    return status.ok();
  });
  QV_CHECK(std::move(status));
  QV_CHECK(judge());
  return count;
}

}  // namespace quiver::storage
