#pragma once

#include <cstddef>
#include <span>
#include <string_view>

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

/// Whether clients see no difference between two distances.
inline bool alike(Metric metric, float a, float b) noexcept {
  return score(metric, a) == score(metric, b);
}

/// The largest distance with the score of `distance`: rounding gives one score to several.
float farthest_alike(Metric metric, float distance) noexcept;

/// The kernels of one instruction set.
struct DistanceKernels {
  /// "avx512", "avx2" or "baseline".
  std::string_view instructions;
  DistanceFunction cosine;
  DistanceFunction dot;
  DistanceFunction euclidean;
};

/// All kernels that this processor runs, fastest first; never empty.
std::span<const DistanceKernels> supported_kernels() noexcept;

}  // namespace quiver::storage
