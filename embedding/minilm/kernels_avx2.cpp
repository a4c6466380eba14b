#if defined(__x86_64__)
#include <immintrin.h>

#include "embedding/minilm/kernels_tables.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

namespace quiver::embedding::minilm {
namespace {

/// 8 floats in each of 16 registers: 6 rows of sums leave four for the operands.
struct Simd {
  using V = __m256;
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kRows = 6;
  static constexpr bool kWidensInLoop = true;
  static V set(float x) { return _mm256_set1_ps(x); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V widen(const Half* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};

}  // namespace
}  // namespace quiver::embedding::minilm

#include "embedding/minilm/kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

const quiver::embedding::minilm::Kernels quiver::embedding::minilm::kKernelsAvx2 = table("avx2");
#endif
