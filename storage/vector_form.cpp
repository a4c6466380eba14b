#include "storage/vector_form.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include "core/text.h"
#include "storage/index_query.h"

namespace quiver::storage {
namespace {

double length(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

/// The length of a vector that may be stored.
Result<double> check(Metric metric, std::size_t dim, std::span<const float> vector) {
  QV_CHECK(check_vector(vector, dim));
  const double size = length(vector);
  if (metric == Metric::Cosine && size == 0) {
    return Error{ErrorCode::InvalidArgument,
                 "vector: all components are zero, which has no direction under cosine"};
  }
  if (size > kVectorLengthMax) {
    return Error{ErrorCode::InvalidArgument,
                 "vector: too long; the root of the sum of squares must be at most 1e18"};
  }
  return size;
}

Status check_point(const CollectionSpec& spec, const Point& point) {
  const auto vector = check(spec.metric, spec.dimension, point.vector);
  if (!vector.ok()) return vector.error();
  if (!point.payload.is_object()) {
    return Error{ErrorCode::InvalidArgument,
                 std::string("payload: must be a JSON object, got ") + point.payload.type_name()};
  }
  if (point.text && !is_utf8(*point.text)) {
    return Error{ErrorCode::InvalidArgument, "text: not valid UTF-8"};
  }
  return Done{};
}

}  // namespace

Result<std::vector<float>> index_form(Metric metric, std::size_t dim,
                                      std::span<const float> vector) {
  QV_TRY(const double size, check(metric, dim, vector));
  std::vector<float> out(vector.begin(), vector.end());
  if (metric == Metric::Cosine) {
    std::transform(out.begin(), out.end(), out.begin(),
                   [&](float x) { return static_cast<float>(static_cast<double>(x) / size); });
  }
  return out;
}

Status check_mutation(const CollectionSpec& spec, const Mutation& mutation) {
  if (const auto* upsert = std::get_if<UpsertPoints>(&mutation)) {
    for (const auto& point : upsert->points) {
      const auto status = check_point(spec, point);
      if (status.ok()) continue;
      return Error{status.error().code,
                   "point " + point.id.display() + ": " + status.error().message};
    }
  }
  if (const auto* update = std::get_if<UpdatePayload>(&mutation)) {
    if (!update->payload.is_object()) {
      return Error{ErrorCode::InvalidArgument, std::string("payload: must be a JSON object, got ") +
                                                   update->payload.type_name()};
    }
  }
  return Done{};
}

}  // namespace quiver::storage
