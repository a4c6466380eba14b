// Every kernel that this processor runs, against the same sums in double precision. The error that
// is allowed is the textbook bound of float summation: eps times the sum of the magnitudes, times
// the depth of the summation tree.

#include "storage/distance.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

struct Sums {
  double dot = 0.0;
  double dot_magnitude = 0.0;
  double squared = 0.0;
};

Sums in_double(const std::vector<float>& a, const std::vector<float>& b) {
  Sums sums;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    const double y = b[i];
    sums.dot += x * y;
    sums.dot_magnitude += std::abs(x * y);
    sums.squared += (x - y) * (x - y);
  }
  return sums;
}

std::vector<std::size_t> dims() {
  std::vector<std::size_t> all;
  for (std::size_t dim = 1; dim <= 70; ++dim) all.push_back(dim);
  for (const std::size_t dim : {100U, 127U, 128U, 129U, 384U, 768U, 1536U, 4095U, 4096U}) {
    all.push_back(dim);
  }
  return all;
}

std::vector<float> random_vector(std::size_t dim, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(dim);
  for (auto& x : vector) x = normal(random);
  return vector;
}

TEST_CASE("distance: every kernel agrees with sums in double precision", "[storage][index]") {
  std::mt19937 random(7);
  for (const auto& kernels : supported_kernels()) {
    for (const std::size_t dim : dims()) {
      const auto a = random_vector(dim, random);
      const auto b = random_vector(dim, random);
      const Sums sums = in_double(a, b);
      // Each lane adds dim / 16 terms or more; one term at a time at worst.
      const double relative = static_cast<double>(std::numeric_limits<float>::epsilon()) *
                              (8.0 + static_cast<double>(dim) / 8.0);
      INFO(kernels.instructions << ", " << dim << " dimensions");
      const double allowed = relative * (1.0 + sums.dot_magnitude);
      CHECK(std::abs(kernels.dot(a.data(), b.data(), dim) + sums.dot) <= allowed);
      CHECK(std::abs(kernels.cosine(a.data(), b.data(), dim) - (1.0 - sums.dot)) <= allowed);
      CHECK(std::abs(kernels.euclidean(a.data(), b.data(), dim) - sums.squared) <=
            relative * (1.0 + sums.squared));
    }
  }
}

TEST_CASE("distance: whole numbers come out exactly, wherever the vectors start",
          "[storage][index]") {
  // Sums of small whole numbers are exact in float, so nothing may be skipped or counted twice.
  for (const auto& kernels : supported_kernels()) {
    for (std::size_t dim = 1; dim <= 140; ++dim) {
      for (std::size_t offset = 0; offset < 3; ++offset) {
        std::vector<float> a(dim + offset + 8, 1000.0F);
        std::vector<float> b(dim + offset + 8, -1000.0F);
        float dot = 0.0F;
        float squared = 0.0F;
        for (std::size_t i = 0; i < dim; ++i) {
          const auto x = static_cast<float>(i % 7);
          const auto y = static_cast<float>(i % 5) - 2.0F;
          a[offset + i] = x;
          b[offset + i] = y;
          dot += x * y;
          squared += (x - y) * (x - y);
        }
        INFO(kernels.instructions << ", " << dim << " dimensions from " << offset);
        CHECK(kernels.dot(&a[offset], &b[offset], dim) == -dot);
        CHECK(kernels.cosine(&a[offset], &b[offset], dim) == 1.0F - dot);
        CHECK(kernels.euclidean(&a[offset], &b[offset], dim) == squared);
      }
    }
  }
}

TEST_CASE("distance: the baseline is always there and the fastest comes first",
          "[storage][index]") {
  const auto kernels = supported_kernels();
  REQUIRE_FALSE(kernels.empty());
  CHECK(kernels.back().instructions == "baseline");
  CHECK(distance_function(Metric::Cosine) == kernels.front().cosine);
  CHECK(distance_function(Metric::Dot) == kernels.front().dot);
  CHECK(distance_function(Metric::Euclidean) == kernels.front().euclidean);
}

TEST_CASE("distance: scores are what clients know from the metric's name", "[storage][index]") {
  const std::vector<float> a{3.0F, 4.0F};
  const std::vector<float> b{6.0F, 8.0F};
  const auto scored = [&](Metric metric, const std::vector<float>& x, const std::vector<float>& y) {
    return score(metric, distance_function(metric)(x.data(), y.data(), x.size()));
  };
  CHECK(scored(Metric::Dot, a, b) == 50.0F);
  CHECK(scored(Metric::Euclidean, a, b) == -5.0F);
  CHECK(scored(Metric::Cosine, {0.6F, 0.8F}, {0.8F, 0.6F}) == Approx(0.96F));
  CHECK(scored(Metric::Cosine, {1.0F, 0.0F}, {-1.0F, 0.0F}) == -1.0F);
  // Rounding does not leak a cosine beyond one.
  CHECK(score(Metric::Cosine, -1e-7F) == 1.0F);
  CHECK(score(Metric::Cosine, 2.000001F) == -1.0F);
}

}  // namespace
}  // namespace quiver::storage
