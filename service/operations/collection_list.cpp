#include "service/operations/collection_list.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "service/items.h"
#include "service/steer.h"

namespace quiver::service {
namespace {

/// A list is read to find the right name; collection_info has the whole text.
constexpr std::size_t kDescriptionBytes = 200;

const std::string& cursor_bound() {
  static const std::string bound = CursorBound("collection_list").str();
  return bound;
}

/// Nothing if the collection was dropped since it was listed.
Result<std::optional<CollectionSummary>> summary_of(const CallContext& call, Engine& engine,
                                                    const CollectionSpec& spec) {
  CollectionSummary out;
  out.name = spec.name;
  if (!spec.description.empty()) out.description = utf8_prefix(spec.description, kDescriptionBytes);
  if (spec.description.size() > kDescriptionBytes) out.description_truncated = true;
  out.dimension = spec.dimension;
  if (!spec.embedder.empty()) out.embedder = spec.embedder;
  const auto collection = engine.collections.find(spec.name);
  if (!collection.ok()) {
    if (collection.error().code == ErrorCode::NotFound) return std::optional<CollectionSummary>();
    out.problem = collection.error().message;
    return std::optional(std::move(out));
  }
  const auto stats = (*collection)->stats(call);
  if (stats.ok()) {
    out.count = stats->points;
  } else {
    QV_CHECK(call.check());
    out.problem = stats.error().message;
  }
  return std::optional(std::move(out));
}

}  // namespace

Result<CollectionListResponse> collection_list(const CallContext& call, Engine& engine,
                                               const CollectionListRequest& request) {
  std::string after;
  if (request.cursor) {
    QV_TRY(after, open_cursor(cursor_bound(), *request.cursor));
  }
  QV_TRY(const auto specs, engine.collections.list());
  auto next = std::upper_bound(specs.begin(), specs.end(), after,
                               [](const auto& name, const auto& spec) { return name < spec.name; });
  CollectionListResponse response;
  TokenBudget budget(reply_tokens(engine));
  for (; next != specs.end() && response.collections.size() < request.limit; ++next) {
    QV_CHECK(call.check());
    QV_TRY(auto summary, summary_of(call, engine, *next));
    if (!summary) continue;
    if (!budget.admit(compact(encode(*summary)).size())) break;
    response.collections.push_back(std::move(*summary));
  }
  if (next != specs.end()) {
    response.advice = "showing " + std::to_string(response.collections.size()) + " of " +
                      grouped(specs.size()) + ": go on with cursor";
    response.next_cursor = make_cursor(cursor_bound(), std::prev(next)->name);
  }
  return response;
}

Operation collection_list_operation() {
  return operation(About{"collection_list", "List collections",
                         "Names, purpose, size and embedder of every collection. Call first when "
                         "unsure where data lives.",
                         Toolset::Collection, Access::Read, Effects{false, true},
                         Route{"GET", "/v1/collections"}},
                   &collection_list);
}

}  // namespace quiver::service
