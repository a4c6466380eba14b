#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cluster/collection.h"
#include "core/collection_spec.h"

/// A collection of few dimensions, and what an exact search of it must find.
namespace quiver::cluster {

inline CollectionSpec spec_of(const std::string& name, std::uint32_t shards) {
  CollectionSpec spec;
  spec.name = name;
  spec.dimension = 4;
  spec.metric = Metric::Euclidean;
  spec.shard_count = shards;
  return spec;
}

inline std::vector<Point> random_points(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> coordinate(-1.0F, 1.0F);
  std::vector<Point> points(count);
  for (std::size_t i = 0; i < count; ++i) {
    points[i].id = PointId(i);
    for (int d = 0; d < 4; ++d) points[i].vector.push_back(coordinate(random));
  }
  return points;
}

inline double squared(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

inline std::vector<PointId> nearest(std::vector<Point> points, const std::vector<float>& to,
                                    std::size_t k) {
  std::sort(points.begin(), points.end(), [&](const Point& a, const Point& b) {
    return squared(a.vector, to) < squared(b.vector, to);
  });
  std::vector<PointId> out;
  for (std::size_t i = 0; i < k; ++i) out.push_back(points[i].id);
  return out;
}

inline std::vector<PointId> ids_of(const SearchAnswer& answer) {
  std::vector<PointId> out;
  for (const auto& hit : answer.hits) out.push_back(hit.point.id);
  return out;
}

inline Query query_of(std::vector<float> vector, std::size_t k) {
  Query query;
  query.vector = std::move(vector);
  query.k = k;
  query.exact = true;
  return query;
}

inline bool contains(const Error& error, const std::string& words) {
  return error.message.find(words) != std::string::npos;
}

}  // namespace quiver::cluster
