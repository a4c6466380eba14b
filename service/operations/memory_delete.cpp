#include "service/operations/memory_delete.h"

#include <algorithm>
#include <utility>

namespace quiver::service {
namespace {

Result<std::uint64_t> count_matches(const CallContext& call, cluster::Collection& collection,
                                    const MemoryDeleteRequest& request) {
  const CallContext newest = at_level(call, ReadLevel::Linearizable);
  if (!request.ids) return collection.count(newest, request.filter);
  auto ids = *request.ids;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  QV_TRY(const auto points, collection.get(newest, ids, Projection{false, false, false}));
  return std::uint64_t{points.size()};
}

Result<std::uint64_t> erase(const CallContext& call, const Engine& engine,
                            cluster::Collection& collection, const MemoryDeleteRequest& request) {
  // Expired points are erased too if their time to be cleared away has not come: they do not count,
  // for nobody could see them any more.
  std::optional<std::uint64_t> visible;
  if (request.ids) {
    QV_TRY(visible, count_matches(call, collection, request));
  }
  auto result = request.ids ? collection.erase(call, *request.ids)
                            : collection.erase_matching(call, *request.filter);
  tell_of_write(engine, request.collection, result);
  if (!result.ok()) return std::move(result).error();
  return visible ? std::min(*visible, result->affected) : result->affected;
}

/// Ids say what goes; a filter does not.
std::optional<Confirmation> confirmation(const MemoryDeleteRequest& request,
                                         const Json& arguments) {
  if (!request.filter || request.dry_run == true) return std::nullopt;
  Confirmation confirmation;
  confirmation.preview = "memory_delete";
  confirmation.preview_arguments = arguments;
  confirmation.preview_arguments["dry_run"] = true;
  confirmation.question = [name = request.collection, filter = arguments.at("filter")](
                              const Json& reply) -> std::optional<Question> {
    const auto points = reply.at("matched").get<std::uint64_t>();
    if (points == 0) return std::nullopt;
    return Question{"Delete " + counted(points, "memory", "memories") + " of " + shown(name) +
                        " matching " + shown_in_question(filter) + " for ever?",
                    points};
  };
  confirmation.confirmed = arguments;
  confirmation.confirmed["dry_run"] = false;
  confirmation.collection = request.collection;
  return confirmation;
}

}  // namespace

void MemoryDeleteRequest::check(const Path& path, Problems& problems) const {
  if (ids.has_value() == filter.has_value()) {
    problems.add(
        path, std::string("give exactly one of ids and filter, got ") + (ids ? "both" : "neither"));
  }
}

Result<MemoryDeleteResponse> memory_delete(const CallContext& call, Engine& engine,
                                           const MemoryDeleteRequest& request) {
  const bool dry = request.dry_run.value_or(request.filter.has_value());
  MemoryDeleteResponse response;
  if (dry) response.dry_run = true;
  QV_TRY(const auto collection, find_memories(engine, request.collection));
  if (!collection) return response;
  if (!dry) {
    QV_TRY(response.deleted, erase(call, engine, *collection, request));
    response.matched = response.deleted;
    return response;
  }
  QV_TRY(response.matched, count_matches(call, *collection, request));
  // Only here: repeating a deletion that took a field's last points is not an error.
  if (response.matched == 0) QV_CHECK(check_filter_fields(call, *collection, request.filter));
  return response;
}

Operation memory_delete_operation() {
  return operation(
      About{"memory_delete", "Delete memories",
            "Permanently delete by ids or by filter (give exactly one). With filter, dry_run "
            "defaults to true and returns the count only.",
            Toolset::Memory, Access::Write, Effects{true, true},
            Route{"POST", "/v1/collections/{collection}/memories/delete"}},
      &memory_delete, &confirmation);
}

}  // namespace quiver::service
