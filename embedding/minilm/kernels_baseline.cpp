#include "embedding/minilm/kernels_tables.h"

namespace quiver::embedding::minilm {
namespace {

/// 4 floats in each of 16 registers.
struct Simd {
  typedef float V __attribute__((vector_size(16)));  // NOLINT: the attribute needs a typedef
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kRows = 4;
  static constexpr bool kWidensInLoop = false;
  static V set(float x) { return V{x, x, x, x}; }
  static V fma(V a, V b, V c) { return a * b + c; }
  /// The bits of a finite half, moved to a float's places, are the number times 2^-112.
  static V widen(const Half* p) {
    typedef std::uint32_t U __attribute__((vector_size(16)));  // NOLINT
    typedef Half H __attribute__((vector_size(8)));            // NOLINT
    H halves;
    __builtin_memcpy(&halves, p, sizeof halves);
    const U bits = __builtin_convertvector(halves, U);
    const U magnitude = (bits & 0x7fff) << 13;
    const U sign = (bits & 0x8000) << 16;
    const V scaled = (V)magnitude * set(0x1p112F);
    return (V)((U)scaled | sign);
  }
};

}  // namespace
}  // namespace quiver::embedding::minilm

#include "embedding/minilm/kernels_body.h"

const quiver::embedding::minilm::Kernels quiver::embedding::minilm::kKernelsBaseline =
    table("baseline");
