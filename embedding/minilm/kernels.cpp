#include "embedding/minilm/kernels.h"

#include <bit>
#include <cstring>
#include <vector>

#include "embedding/minilm/kernels_tables.h"

namespace quiver::embedding::minilm {
namespace {

std::vector<const Kernels*> detect() {
  std::vector<const Kernels*> usable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f")) usable.push_back(&kKernelsAvx512);
  if (avx2) usable.push_back(&kKernelsAvx2);
#endif
  usable.push_back(&kKernelsBaseline);
  return usable;
}

constexpr Half kExponentBits = 0x7c00;

}  // namespace

std::span<const Kernels* const> usable_kernels() {
  static const std::vector<const Kernels*> kUsable = detect();
  return kUsable;
}

bool pack(std::span<const std::byte> weights, std::size_t columns, std::size_t depth,
          Half* packed) {
  bool finite = true;
  std::vector<Half> row(depth);  // The bytes may lie at an odd address.
  for (std::size_t column = 0; column < columns; ++column) {
    std::memcpy(row.data(), weights.data() + column * depth * sizeof(Half), depth * sizeof(Half));
    Half* to = packed + column / kPanel * (kPanel * depth) + column % kPanel;
    for (std::size_t k = 0; k < depth; ++k) to[k * kPanel] = row[k];
    finite = finite && all_finite(row);
  }
  return finite;
}

bool all_finite(std::span<const Half> halves) {
  bool finite = true;
  for (const Half half : halves) finite &= (half & kExponentBits) != kExponentBits;
  return finite;
}

float widen(Half bits) noexcept {
  const std::uint32_t magnitude = bits & 0x7fffU;
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  // The bits of a finite half, moved to a float's places, are the number times 2^-112.
  const float number = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(number) | sign);
}

}  // namespace quiver::embedding::minilm
