#include "storage/shard_search.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/limits.h"
#include "storage/distance.h"
#include "storage/point_assembly.h"
#include "storage/query_plan.h"
#include "storage/tie_break.h"
#include "storage/vector_form.h"
#include "storage/vector_heap.h"

namespace quiver::storage {
namespace {

/// Searches that a writer spoilt, one after another, before the caller is told. Each time it had to
/// replace one of the winners within a fraction of a millisecond.
constexpr int kAttemptsMax = 1000;

/// Looks for what was written since the last look.
constexpr int kLateLooksMax = 16;

/// Which slots may be returned, as of the beginning of one attempt.
struct Candidates {
  LiveSlots::Moment moment;
  /// Absent: all that the index has.
  std::optional<SlotSet> allowed;
  std::optional<std::size_t> matches;
  bool exact = true;
};

class Search {
 public:
  Search(ShardState& state, const CallContext& call, const ShardQuery& query,
         std::span<const float> vector)
      : state_(state),
        call_(call),
        query_(query),
        vector_(vector),
        now_ms_(state.clock.wall_ms()) {}

  Result<std::vector<ScoredPoint>> run() {
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
      QV_CHECK(call_.check());
      QV_TRY(const bool done, attempt_once());
      if (done) return answer();
      std::this_thread::yield();
    }
    return Error{ErrorCode::Unavailable,
                 "the nearest points are replaced faster than they can be searched; try again"};
  }

 private:
  enum class Verdict { Fine, Stale };

  /// False if a winner was replaced meanwhile.
  Result<bool> attempt_once() {
    winners_.clear();
    winner_ids_.clear();
    seen_ = {};
    QV_TRY(auto candidates, find_candidates());
    for (;;) {
      const auto plan = plan_query(shape(candidates));
      if (plan.access == Access::Nothing) return true;
      Found found{{}, candidates.moment.live, candidates.moment.horizon};
      QV_TRY(found.near, nearest(candidates, plan));
      QV_CHECK(add_latecomers(candidates, plan, found));
      const PointStore::View view(state_.points);
      QV_TRY(const auto near,
             break_ties(view, call_, state_.spec.metric, std::move(found), plan.fetch));
      if (!near) return false;
      QV_TRY(const auto verdict, examine(view, *near));
      if (verdict == Verdict::Stale) return false;
      const bool complete = winners_.size() >= query_.k || near->size() < plan.fetch;
      if (complete || !query_.filter) return true;
      look_further(candidates, *near);
    }
  }

  Result<Candidates> find_candidates() {
    Candidates out;
    out.moment = state_.live.moment(now_ms_);
    if (query_.filter) {
      QV_TRY(auto match, state_.payloads.match(call_, *query_.filter));
      match.slots -= out.moment.expired;
      out.exact = match.exact;
      out.matches = match.slots.size();
      out.allowed = std::move(match.slots);
    } else if (!out.moment.expired.empty()) {
      out.allowed = state_.live.visible(now_ms_);
    }
    return out;
  }

  QueryShape shape(const Candidates& candidates) const {
    QueryShape out;
    out.live = candidates.moment.live;
    out.matches = candidates.matches;
    if (!out.matches && candidates.allowed) out.live = candidates.allowed->size();
    out.matches_exact = candidates.exact;
    out.k = query_.k - winners_.size();
    out.ef = query_.ef != 0 ? query_.ef : state_.options.default_ef;
    out.exact = query_.exact;
    out.exact_search_points = state_.options.exact_search_points;
    return out;
  }

  Result<std::vector<Neighbor>> nearest(const Candidates& candidates, const QueryPlan& plan) const {
    const IndexQuery query{.vector = vector_,
                           .k = plan.fetch,
                           .ef = plan.ef,
                           .allowed = candidates.allowed ? &*candidates.allowed : nullptr,
                           .ties = true};
    if (plan.access == Access::Scan) return state_.index->scan(call_, query);
    QV_TRY(auto near, state_.index->search(call_, query));
    // A walk may end early; as many as there are must come back.
    if (near.size() < plan.fetch) return state_.index->scan(call_, query);
    return near;
  }

  /// Adds what came to match after the candidates were listed: versions of points that took the
  /// place of candidates among them. Looks again if something was written meanwhile.
  Status add_latecomers(const Candidates& candidates, const QueryPlan& plan, Found& found) {
    auto version = candidates.moment.version;
    for (int look = 0; look < kLateLooksMax; ++look) {
      const auto now = state_.live.moment(now_ms_);
      if (now.version == version) return Done{};
      version = now.version;
      found.horizon = now.horizon;
      found.live = now.live;
      QV_TRY(auto late, latecomers(candidates, now));
      for (const auto& neighbor : found.near) late.erase(neighbor.slot);
      if (late.empty()) continue;
      const IndexQuery query{
          .vector = vector_, .k = late.size(), .ef = plan.ef, .allowed = &late, .ties = false};
      QV_TRY(const auto more, state_.index->scan(call_, query));
      found.near.insert(found.near.end(), more.begin(), more.end());
      std::sort(found.near.begin(), found.near.end(), nearer);
    }
    return Done{};
  }

  Result<SlotSet> latecomers(const Candidates& candidates, const LiveSlots::Moment& now) const {
    SlotSet late = state_.live.visible(now_ms_, candidates.moment.horizon);
    if (query_.filter) {
      QV_TRY(auto match, state_.payloads.match(call_, *query_.filter));
      match.slots -= now.expired;
      late = std::move(match.slots);
      late -= *candidates.allowed;
    }
    late -= seen_;
    return late;
  }

  /// Reads the neighbours and keeps those that are what was asked for.
  Result<Verdict> examine(const PointStore::View& view, const std::vector<Neighbor>& near) {
    std::vector<Slot> slots;
    slots.reserve(near.size());
    for (const auto& neighbor : near) slots.push_back(neighbor.slot);
    QV_TRY(const auto owners, view.slots(slots));
    std::vector<FoundPoint> found;
    found.reserve(near.size());
    for (std::size_t i = 0; i < near.size(); ++i) {
      if (!owners[i]) return Verdict::Stale;
      found.push_back(
          {slots[i], owners[i]->id, owners[i]->created_at_ms, owners[i]->expires_at_ms});
    }
    QV_TRY(auto points, assemble(view, found, query_.projection, query_.filter));
    for (std::size_t i = 0; i < near.size(); ++i) {
      if (!points[i]) continue;
      // A winner of an earlier look, which only a filter makes necessary, may have got another slot
      // since.
      if (query_.filter && !winner_ids_.insert(points[i]->id).second) continue;
      winners_.push_back({std::move(*points[i]), score(state_.spec.metric, near[i].distance)});
    }
    return Verdict::Fine;
  }

  /// Leaves out what was seen, and goes on behind it: the filter did not hold for all of it.
  void look_further(Candidates& candidates, const std::vector<Neighbor>& near) {
    for (const auto& neighbor : near) seen_.insert(neighbor.slot);
    *candidates.allowed -= seen_;
    candidates.matches = candidates.allowed->size();
  }

  std::vector<ScoredPoint> answer() {
    std::sort(winners_.begin(), winners_.end(), [](const ScoredPoint& a, const ScoredPoint& b) {
      return a.score != b.score ? a.score > b.score : a.point.id < b.point.id;
    });
    if (winners_.size() > query_.k) winners_.resize(query_.k);
    return std::move(winners_);
  }

  ShardState& state_;
  const CallContext& call_;
  const ShardQuery& query_;
  const std::span<const float> vector_;
  const std::int64_t now_ms_;
  std::vector<ScoredPoint> winners_;
  std::set<PointId> winner_ids_;
  /// Slots that were looked at in this attempt.
  SlotSet seen_;
};

}  // namespace

Result<std::vector<ScoredPoint>> search_points(ShardState& state, const CallContext& call,
                                               const ShardQuery& query) {
  if (query.k < 1 || query.k > limits::kSearchHitsMax) {
    return Error{ErrorCode::InvalidArgument, "k: must be between 1 and " +
                                                 std::to_string(limits::kSearchHitsMax) + ", got " +
                                                 std::to_string(query.k)};
  }
  QV_TRY(const auto vector, index_form(state.spec.metric, state.spec.dimension, query.vector));
  return Search(state, call, query, vector).run();
}

}  // namespace quiver::storage
