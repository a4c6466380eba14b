#include "service/search_page.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/limits.h"
#include "service/cursor.h"

namespace quiver::service {
namespace {

constexpr std::size_t kDepthMax = limits::kSearchHitsMax;

/// The hits that lie behind a position, out of all up to there and beyond.
struct Window {
  std::vector<ScoredPoint> hits;
  /// Number of hits before the first of these.
  std::size_t seen = 0;
  /// There may be hits behind these.
  bool more = false;
  std::vector<cluster::MissingShard> missing;
};

Error too_deep() {
  return {ErrorCode::InvalidArgument,
          "cursor: paging ends after " + std::to_string(kDepthMax) +
              " hits; narrow the search with filter and start over without cursor"};
}

Result<std::optional<SearchPosition>> position_of(const PagedSearch& search) {
  if (!search.cursor) return std::optional<SearchPosition>();
  QV_TRY(const auto bytes, open_cursor(search.cursor_bound, *search.cursor));
  QV_TRY(const auto position, SearchPosition::from_bytes(bytes));
  if (position.seen >= kDepthMax) return too_deep();
  return std::optional(position);
}

std::size_t first_behind(const SearchPosition& position, const std::vector<ScoredPoint>& hits) {
  std::size_t index = 0;
  while (index < hits.size() && hits[index].score > position.score) ++index;
  std::size_t end = index;
  for (; end < hits.size() && hits[end].score == position.score; ++end) {
    if (position.is_at(hits[end])) return end + 1;
  }
  // The hit we stopped at is gone. Of those as near, the ones before it were read.
  const std::size_t before = position.seen > 0 ? position.seen - 1 : 0;
  return std::clamp(before, index, end);
}

/// Removes what is no hit. Returns whether all that remains of the answer is here.
bool trim(std::vector<ScoredPoint>& hits, const PagedSearch& search, bool complete) {
  if (search.without) {
    std::erase_if(hits, [&](const auto& hit) { return hit.point.id == *search.without; });
  }
  if (!search.min_score) return complete;
  const auto low = std::find_if(hits.begin(), hits.end(), [&](const auto& hit) {
    return double{hit.score} < *search.min_score;
  });
  if (low == hits.end()) return complete;
  hits.erase(low, hits.end());
  return true;
}

/// Points stored since the last page may fill the hits asked for: then it asks for more.
Result<Window> window(const CallContext& call, cluster::Collection& collection, PagedSearch& search,
                      const std::optional<SearchPosition>& after) {
  const std::size_t spare = search.without ? 2 : 1;
  const std::size_t seen = after ? after->seen : 0;
  search.query.k = std::min(seen + search.limit + spare, kDepthMax);
  while (true) {
    QV_TRY(auto answer, collection.search(call, search.query));
    auto& hits = answer.hits;
    const bool complete = trim(hits, search, hits.size() < search.query.k);
    const std::size_t begin = after ? first_behind(*after, hits) : 0;
    const std::size_t end = std::min(begin + search.limit, hits.size());
    if (begin < end || complete || search.query.k == kDepthMax) {
      Window out;
      out.seen = begin;
      out.missing = std::move(answer.missing);
      out.more = end < hits.size() || !complete;
      out.hits.assign(std::make_move_iterator(hits.begin() + static_cast<std::ptrdiff_t>(begin)),
                      std::make_move_iterator(hits.begin() + static_cast<std::ptrdiff_t>(end)));
      return out;
    }
    search.query.k = std::min(search.query.k * 2, kDepthMax);
  }
}

/// Reads what a deep search was not asked to bring along for every hit before the page. A point
/// that is gone by now is left out.
Status fill_in(const CallContext& call, cluster::Collection& collection, Projection projection,
               std::vector<ScoredPoint>& hits) {
  std::vector<PointId> ids;
  ids.reserve(hits.size());
  for (const auto& hit : hits) ids.push_back(hit.point.id);
  QV_TRY(auto points, collection.get(call, ids, projection));
  std::map<PointId, Point> by_id;
  for (auto& point : points) {
    auto id = point.id;
    by_id.emplace(std::move(id), std::move(point));
  }
  std::erase_if(hits, [&](ScoredPoint& hit) {
    const auto found = by_id.find(hit.point.id);
    if (found == by_id.end()) return true;
    hit.point = std::move(found->second);
    return false;
  });
  return Done{};
}

}  // namespace

std::optional<std::vector<MissingShard>> shown(std::vector<cluster::MissingShard> missing) {
  if (missing.empty()) return std::nullopt;
  std::vector<MissingShard> out;
  out.reserve(missing.size());
  for (auto& one : missing) out.push_back({one.shard, std::move(one.why)});
  return out;
}

Result<SearchPage> search_page(const CallContext& call, cluster::Collection& collection,
                               PagedSearch search) {
  QV_TRY(const auto after, position_of(search));
  const Projection wanted{search.parts.metadata, search.parts.text_bytes > 0, search.parts.vector};
  search.query.projection = after ? Projection{false, false, false} : wanted;
  QV_TRY(auto found, window(call, collection, search, after));
  if (found.hits.empty()) {
    if (found.more) return too_deep();
    SearchPage empty;
    empty.missing = std::move(found.missing);
    return empty;
  }
  const auto end = SearchPosition::after(found.hits.back(), found.seen + found.hits.size());
  if (after) QV_CHECK(fill_in(call, collection, wanted, found.hits));

  SearchPage page;
  page.missing = std::move(found.missing);
  TokenBudget budget(search.max_tokens);
  std::optional<SearchPosition> reached;
  bool truncated = false;
  for (auto& hit : found.hits) {
    const auto here = SearchPosition::after(hit, found.seen + page.hits.size() + 1);
    Item item = make_hit(std::move(hit), search.parts);
    truncated = !budget.admit(item);
    if (truncated) break;
    page.hits.push_back(std::move(item));
    reached = here;
  }
  if (!truncated) reached = end;
  if (truncated) {
    page.advice = "showing " + std::to_string(page.hits.size()) + " of " +
                  std::to_string(found.hits.size()) +
                  " hits to bound this reply: go on with cursor, or narrow filter";
  }
  if (truncated || found.more) {
    page.next_cursor = make_cursor(search.cursor_bound, reached->to_bytes());
  }
  return page;
}

}  // namespace quiver::service
