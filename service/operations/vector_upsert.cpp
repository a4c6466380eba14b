#include "service/operations/vector_upsert.h"

#include <algorithm>
#include <map>
#include <utility>

#include "service/steer.h"

namespace quiver::service {
namespace {

bool is_zero(const std::vector<float>& vector) {
  return std::all_of(vector.begin(), vector.end(), [](float x) { return x == 0.0F; });
}

Status check_points(const CollectionSpec& spec, const std::vector<VectorUpsertPoint>& points) {
  Problems problems;
  const Path root("points");
  std::map<PointId, std::size_t> first;
  for (std::size_t i = 0; i < points.size() && !problems.full(); ++i) {
    const Path here(root, i);
    const auto& point = points[i];
    if (point.vector.values.size() != spec.dimension) {
      problems.add(Path(here, "vector"), "has " + std::to_string(point.vector.values.size()) +
                                             " dimensions, " + needed_dimension(spec));
    } else if (spec.metric == Metric::Cosine && is_zero(point.vector.values)) {
      problems.add(Path(here, "vector"), "is all zero, which has no direction for cosine");
    }
    const auto [at, added] = first.emplace(point.id, i);
    if (!added) {
      problems.add(Path(here, "id"), point.id.display() + " is also the id of points[" +
                                         std::to_string(at->second) + "]");
    }
  }
  return problems.status();
}

}  // namespace

Result<VectorUpsertResponse> vector_upsert(const CallContext& call, Engine& engine,
                                           const VectorUpsertRequest& request) {
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  QV_CHECK(check_points(collection->spec(), request.points));
  const std::int64_t now_ms = engine.clock.wall_ms();
  std::vector<Point> points;
  points.reserve(request.points.size());
  for (const auto& given : request.points) {
    Point point;
    point.id = given.id;
    point.vector = given.vector.values;
    point.text = given.text;
    point.created_at_ms = now_ms;
    if (given.metadata) point.payload = given.metadata->value;
    points.push_back(std::move(point));
  }
  const auto result = collection->upsert(call, std::move(points));
  tell_of_write(engine, request.collection, result);
  QV_CHECK(result);
  return VectorUpsertResponse{result->affected, result->created};
}

Operation vector_upsert_operation() {
  return operation(About{"vector_upsert", "Upsert vectors",
                         "Insert or replace points with ready-made vectors; one bad point and none "
                         "is written. For plain text use memory_store.",
                         Toolset::Vector, Access::Write, Effects{false, true},
                         Route{"POST", "/v1/collections/{collection}/points"}},
                   &vector_upsert);
}

}  // namespace quiver::service
