#include "embedding/minilm/kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <vector>

#include "embedding/minilm/kernels_tables.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace quiver::embedding::minilm {
namespace {

#if defined(__x86_64__)
/// Conversion of 16-bit floats. Asked from the processor, as clang 16 does not know its name.
bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

std::vector<const Kernels*> detect() {
  std::vector<const Kernels*> usable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The names answer for the operating system's part as well: that it saves the wide registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (avx2 && __builtin_cpu_supports("avx512f")) usable.push_back(&kKernelsAvx512);
  if (avx2) usable.push_back(&kKernelsAvx2);
#endif
  usable.push_back(&kKernelsBaseline);
  return usable;
}

}  // namespace

std::span<const Kernels* const> usable_kernels() {
  static const std::vector<const Kernels*> usable = detect();
  return usable;
}

bool pack(std::span<const std::byte> weights, std::size_t columns, std::size_t depth,
          Half* packed) {
  // By square blocks: what is read and what is written of one stays in the first-level cache.
  constexpr std::size_t kBlock = kPanel;
  assert(columns % kPanel == 0 && depth % kBlock == 0);
  bool finite = true;
  for (std::size_t column = 0; column < columns; column += kPanel) {
    for (std::size_t k = 0; k < depth; k += kBlock) {
      for (std::size_t c = 0; c < kPanel; ++c) {
        std::array<Half, kBlock> row;  // The bytes may lie at an odd address.
        const std::size_t from = (column + c) * depth + k;
        std::memcpy(row.data(), weights.data() + from * sizeof(Half), sizeof row);
        finite &= all_finite(row);
        for (std::size_t i = 0; i < kBlock; ++i) packed[i * kPanel + c] = row[i];
      }
      packed += kBlock * kPanel;
    }
  }
  return finite;
}

bool all_finite(std::span<const Half> halves) {
  // Without its sign, a half orders like an integer; from this one on they are not finite. Signed
  // numbers, for SSE2 knows no maximum of others.
  constexpr std::int16_t kInfinity = 0x7c00;
  std::int16_t highest = 0;
  for (const Half half : halves) {
    highest = std::max(highest, static_cast<std::int16_t>(half & 0x7fff));
  }
  return highest < kInfinity;
}

float widen(Half bits) noexcept {
  const std::uint32_t magnitude = bits & 0x7fffU;
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  // The bits of a finite half, moved to a float's places, are the number times 2^-112.
  const float number = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(number) | sign);
}

}  // namespace quiver::embedding::minilm
