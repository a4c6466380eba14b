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
#include "storage/vector_form.h"

namespace quiver::storage {
namespace {

/// Searches that a writer spoilt, one after another, before the caller is told. Each time it had to
/// replace one of the winners within a fraction of a millisecond.
constexpr int kAttemptsMax = 1000;

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
  struct Winner {
    float distance;
    Slot slot;
    Point point;
  };
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
      QV_TRY(auto near, nearest(candidates, plan));
      if (state_.live.version() != candidates.moment.version) {
        QV_CHECK(add_latecomers(candidates, plan, near));
      }
      QV_TRY(const auto verdict, examine(near));
      if (verdict == Verdict::Stale) return false;
      const bool complete = winners_.size() >= query_.k || near.size() < plan.fetch;
      if (complete || !query_.filter) return true;
      look_further(candidates, near);
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
    const IndexQuery query{vector_, plan.fetch, plan.ef,
                           candidates.allowed ? &*candidates.allowed : nullptr};
    if (plan.access == Access::Scan) return state_.index->scan(call_, query);
    QV_TRY(auto near, state_.index->search(call_, query));
    // A walk may end early; as many as there are must come back.
    if (near.size() < plan.fetch) return state_.index->scan(call_, query);
    return near;
  }

  /// Adds what came to match after the candidates were listed: versions of points that took the
  /// place of candidates among them.
  Status add_latecomers(Candidates& candidates, const QueryPlan& plan,
                        std::vector<Neighbor>& near) {
    SlotSet late = state_.live.visible(now_ms_, candidates.moment.horizon);
    if (query_.filter) {
      QV_TRY(auto match, state_.payloads.match(call_, *query_.filter));
      match.slots -= state_.live.moment(now_ms_).expired;
      late = std::move(match.slots);
      late -= *candidates.allowed;
    }
    late -= seen_;
    if (late.empty()) return Done{};
    const IndexQuery query{vector_, plan.fetch, plan.ef, &late};
    QV_TRY(const auto found, state_.index->scan(call_, query));
    for (const auto& neighbor : found) {
      const bool known = std::any_of(near.begin(), near.end(), [&](const Neighbor& other) {
        return other.slot == neighbor.slot;
      });
      if (!known) near.push_back(neighbor);
    }
    return Done{};
  }

  /// Reads the neighbours and keeps those that are what was asked for.
  Result<Verdict> examine(const std::vector<Neighbor>& near) {
    std::vector<Slot> slots;
    slots.reserve(near.size());
    for (const auto& neighbor : near) slots.push_back(neighbor.slot);
    const PointStore::View view(state_.points);
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
      winners_.push_back({near[i].distance, near[i].slot, std::move(*points[i])});
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
    // Ties by slot, as the index cut them: then fewer hits are the beginning of more hits, and
    // paging through equally near points leaves none out.
    const auto nearer = [](const Winner& a, const Winner& b) {
      return a.distance != b.distance ? a.distance < b.distance : raw(a.slot) < raw(b.slot);
    };
    std::sort(winners_.begin(), winners_.end(), nearer);
    if (winners_.size() > query_.k) winners_.resize(query_.k);
    std::vector<ScoredPoint> out;
    out.reserve(winners_.size());
    for (auto& winner : winners_) {
      out.push_back({std::move(winner.point), score(state_.spec.metric, winner.distance)});
    }
    return out;
  }

  ShardState& state_;
  const CallContext& call_;
  const ShardQuery& query_;
  const std::span<const float> vector_;
  const std::int64_t now_ms_;
  std::vector<Winner> winners_;
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
