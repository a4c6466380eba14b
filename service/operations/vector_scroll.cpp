#include "service/operations/vector_scroll.h"

#include <utility>

#include "service/steer.h"

namespace quiver::service {
namespace {

std::string cursor_bound(const VectorScrollRequest& request, const CollectionSpec& spec) {
  return CursorBound("vector_scroll")
      .add(spec.id)
      .add(request.filter ? compact(request.filter->source()) : "")
      .str();
}

/// Fills in the items and the cursor behind them.
Status read_page(const CallContext& call, const Engine& engine, cluster::Collection& collection,
                 const VectorScrollRequest& request, VectorScrollResponse& response) {
  const auto bound = cursor_bound(request, collection.spec());
  std::optional<PointId> after;
  if (request.cursor) {
    QV_TRY(const auto key, open_cursor(bound, *request.cursor));
    QV_TRY(after, PointId::from_key(key));
  }
  QV_TRY(auto page, collection.scroll(call, request.filter, after, request.limit,
                                      Projection{true, true, false}));
  auto next = std::move(page.next);
  TokenBudget budget(reply_tokens(engine));
  auto& items = response.items.emplace();
  for (auto& point : page.points) {
    Item item = make_item(std::move(point), ItemParts::of(request.response_format));
    if (!budget.admit(item)) {
      response.truncated = true;
      next = items.back().id;
      break;
    }
    items.push_back(std::move(item));
  }
  if (!next) return Done{};
  response.next_cursor = make_cursor(bound, next->key());
  const std::string of = response.count ? " of " + grouped(*response.count) : "";
  if (response.count || response.truncated) {
    response.advice =
        "showing " + std::to_string(items.size()) + of + ": go on with cursor, or narrow filter";
  }
  return Done{};
}

}  // namespace

void VectorScrollRequest::check(const Path& path, Problems& problems) const {
  if (count_only && cursor) {
    problems.add(Path(path, "cursor"),
                 "has no meaning with count_only=true; leave one of them out");
  }
}

Result<VectorScrollResponse> vector_scroll(const CallContext& call, Engine& engine,
                                           const VectorScrollRequest& request) {
  const CallContext reading = at_level(call, request.consistency);
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  VectorScrollResponse response;
  if (!request.cursor) {
    QV_TRY(response.count, collection->count(reading, request.filter));
    if (*response.count == 0) {
      QV_CHECK(check_filter_fields(reading, *collection, request.filter));
    }
  }
  if (!request.count_only) QV_CHECK(read_page(reading, engine, *collection, request, response));
  return response;
}

Operation vector_scroll_operation() {
  return operation(About{"vector_scroll", "List points",
                         "Page through points in id order, optionally filtered; use count_only to "
                         "just count.",
                         Toolset::Vector, Access::Read, Effects{false, true},
                         Route{"POST", "/v1/collections/{collection}/points/scroll"}},
                   &vector_scroll);
}

}  // namespace quiver::service
