#include "storage/distance.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#define QV_AVX2 __attribute__((target("avx2,fma")))
#define QV_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl")))
#endif

// Instruction sets are switched on function by function. A whole file compiled with -mavx2 would
// leave AVX2 copies of inline library functions for the linker to pick, and they would then run on
// processors without it.

namespace quiver::storage {
namespace {

// -- whatever the compiler's baseline offers: SSE2 on x86-64

struct DotStep {
  static float add(float sum, float a, float b) { return sum + a * b; }
};
struct EuclideanStep {
  static float add(float sum, float a, float b) { return sum + (a - b) * (a - b); }
};

/// Sixteen independent sums: the compiler may keep them in vector registers without reordering
/// any addition.
template <typename Step>
float accumulate(const float* a, const float* b, std::size_t dim) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] = Step::add(sums[lane], a[i + lane], b[i + lane]);
    }
  }
  for (std::size_t lane = 0; i < dim; ++i, ++lane) {
    sums[lane] = Step::add(sums[lane], a[i], b[i]);
  }
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

#if defined(__x86_64__)

struct DotAvx2 {
  QV_AVX2 static __m256 add(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
};
struct EuclideanAvx2 {
  QV_AVX2 static __m256 add(__m256 sum, __m256 a, __m256 b) {
    const __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
};

/// The first `count` of eight lanes; the others read as zero and their memory is not touched.
QV_AVX2 inline __m256i first_lanes(std::size_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

QV_AVX2 inline float sum_lanes(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
  return _mm_cvtss_f32(sum);
}

template <typename Step>
QV_AVX2 float accumulate_avx2(const float* a, const float* b, std::size_t dim) {
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = s0;
  __m256 s2 = s0;
  __m256 s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    s0 = Step::add(s0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    s1 = Step::add(s1, _mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));
    s2 = Step::add(s2, _mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16));
    s3 = Step::add(s3, _mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24));
  }
  for (; i + 8 <= dim; i += 8) {
    s0 = Step::add(s0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
  }
  if (i < dim) {
    const __m256i mask = first_lanes(dim - i);
    s1 = Step::add(s1, _mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask));
  }
  return sum_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

struct DotAvx512 {
  QV_AVX512 static __m512 add(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
};
struct EuclideanAvx512 {
  QV_AVX512 static __m512 add(__m512 sum, __m512 a, __m512 b) {
    const __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};

QV_AVX512 inline float sum_lanes(__m512 v) {
  // The unmasked forms trip g++ 12's check for uninitialised values.
  const __m256 low = _mm512_maskz_extractf32x8_ps(0xFF, v, 0);
  const __m256 high = _mm512_maskz_extractf32x8_ps(0xFF, v, 1);
  const __m256 both = _mm256_add_ps(low, high);
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
  return _mm_cvtss_f32(sum);
}

template <typename Step>
QV_AVX512 float accumulate_avx512(const float* a, const float* b, std::size_t dim) {
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = s0;
  __m512 s2 = s0;
  __m512 s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= dim; i += 64) {
    s0 = Step::add(s0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s1 = Step::add(s1, _mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    s2 = Step::add(s2, _mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32));
    s3 = Step::add(s3, _mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48));
  }
  if (i + 32 <= dim) {
    s0 = Step::add(s0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s1 = Step::add(s1, _mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    i += 32;
  }
  if (i + 16 <= dim) {
    s2 = Step::add(s2, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    i += 16;
  }
  if (i < dim) {
    const auto mask = static_cast<__mmask16>((1U << (dim - i)) - 1U);
    s3 = Step::add(s3, _mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i));
  }
  return sum_lanes(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

#endif  // x86-64

// -- the three metrics over any of the sums

float cosine_baseline(const float* a, const float* b, std::size_t dim) {
  return 1.0F - accumulate<DotStep>(a, b, dim);
}
float dot_baseline(const float* a, const float* b, std::size_t dim) {
  return -accumulate<DotStep>(a, b, dim);
}

#if defined(__x86_64__)
QV_AVX2 float cosine_avx2(const float* a, const float* b, std::size_t dim) {
  return 1.0F - accumulate_avx2<DotAvx2>(a, b, dim);
}
QV_AVX2 float dot_avx2(const float* a, const float* b, std::size_t dim) {
  return -accumulate_avx2<DotAvx2>(a, b, dim);
}
QV_AVX512 float cosine_avx512(const float* a, const float* b, std::size_t dim) {
  return 1.0F - accumulate_avx512<DotAvx512>(a, b, dim);
}
QV_AVX512 float dot_avx512(const float* a, const float* b, std::size_t dim) {
  return -accumulate_avx512<DotAvx512>(a, b, dim);
}
#endif

struct KernelTable {
  std::array<DistanceKernels, 3> kernels{};
  std::size_t count = 0;

  void add(const DistanceKernels& set) { kernels[count++] = set; }
};

/// Numbers the floats in their order, both zeros as one.
std::int32_t rank_of(float x) noexcept {
  const auto bits = std::bit_cast<std::int32_t>(x);
  return bits >= 0 ? bits : std::numeric_limits<std::int32_t>::min() - bits;
}
float float_of(std::int32_t rank) noexcept {
  const auto bits = rank >= 0 ? rank : std::numeric_limits<std::int32_t>::min() - rank;
  return std::bit_cast<float>(bits);
}
constexpr std::int32_t rank_of_infinity() noexcept {
  return std::bit_cast<std::int32_t>(std::numeric_limits<float>::infinity());
}

KernelTable find_kernels() noexcept {
  KernelTable table;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    table.add({"avx512", cosine_avx512, dot_avx512, accumulate_avx512<EuclideanAvx512>});
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    table.add({"avx2", cosine_avx2, dot_avx2, accumulate_avx2<EuclideanAvx2>});
  }
#endif
  table.add({"baseline", cosine_baseline, dot_baseline, accumulate<EuclideanStep>});
  return table;
}

}  // namespace

std::span<const DistanceKernels> supported_kernels() noexcept {
  static const KernelTable table = find_kernels();
  return std::span(table.kernels).first(table.count);
}

DistanceFunction distance_function(Metric metric) noexcept {
  const DistanceKernels& fastest = supported_kernels().front();
  switch (metric) {
    case Metric::Cosine: return fastest.cosine;
    case Metric::Dot: return fastest.dot;
    case Metric::Euclidean: break;
  }
  return fastest.euclidean;
}

float score(Metric metric, float distance) noexcept {
  switch (metric) {
    // Rounding may carry the sum a little past the ends of what a cosine can be.
    case Metric::Cosine: return std::clamp(1.0F - distance, -1.0F, 1.0F);
    case Metric::Dot: return -distance;
    case Metric::Euclidean: break;
  }
  return -std::sqrt(distance);
}

float farthest_alike(Metric metric, float distance) noexcept {
  const float wanted = score(metric, distance);
  const auto fits = [&](std::int32_t rank) { return score(metric, float_of(rank)) == wanted; };
  constexpr std::int64_t kEnd = std::int64_t{rank_of_infinity()} + 1;
  std::int64_t last = rank_of(distance);
  std::int64_t step = 1;
  while (last + step < kEnd && fits(static_cast<std::int32_t>(last + step))) {
    last += step;
    step *= 2;
  }
  // The first that does not fit lies at most `step` behind the last that does.
  std::int64_t beyond = std::min(last + step, kEnd);
  while (last + 1 < beyond) {
    const std::int64_t middle = last + (beyond - last) / 2;
    (fits(static_cast<std::int32_t>(middle)) ? last : beyond) = middle;
  }
  return float_of(static_cast<std::int32_t>(last));
}

}  // namespace quiver::storage
