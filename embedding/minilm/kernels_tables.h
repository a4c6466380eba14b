#pragma once

#include "embedding/minilm/kernels.h"

namespace quiver::embedding::minilm {

/// 128-bit vectors in the compiler's own notation: SSE2 on x86-64, which all such processors have.
extern const Kernels kKernelsBaseline;
#if defined(__x86_64__)
/// Needs avx2, fma and f16c.
extern const Kernels kKernelsAvx2;
/// Needs avx512f, avx2, fma and f16c.
extern const Kernels kKernelsAvx512;
#endif

}  // namespace quiver::embedding::minilm
