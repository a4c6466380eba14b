#if defined(__x86_64__)
#include <immintrin.h>

#include "embedding/minilm/kernels_tables.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx2,fma,f16c")
#endif

namespace quiver::embedding::minilm {
namespace {

/// 16 floats in each of 32 registers: 14 rows of sums leave four for the operands.
struct Simd {
  using V = __m512;
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kRows = 14;
  static constexpr bool kWidensInLoop = true;
  static V set(float x) { return _mm512_set1_ps(x); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V widen(const Half* p) {
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
};

}  // namespace
}  // namespace quiver::embedding::minilm

#include "embedding/minilm/kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

const quiver::embedding::minilm::Kernels quiver::embedding::minilm::kKernelsAvx512 =
    table("avx512");
#endif
