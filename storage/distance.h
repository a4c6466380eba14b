#pragma once

#include <cstddef>

#include "core/collection_spec.h"

namespace quiver::storage {

/// Distance of two vectors of `dim` floats, not necessarily aligned. Smaller is nearer.
using DistanceFunction = float (*)(const float* a, const float* b, std::size_t dim);

/// The fastest kernel that this processor runs (AVX-512, AVX2, SSE2), chosen at first use.
///
/// Cosine: 1 - a.b, for vectors of unit length. Dot: -a.b. Euclidean: squared distance.
DistanceFunction distance_function(Metric metric) noexcept;

/// From a distance to what clients see (Metric): higher is nearer.
float score(Metric metric, float distance) noexcept;

}  // namespace quiver::storage
