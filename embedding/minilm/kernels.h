#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "embedding/minilm/shape.h"

namespace quiver::embedding::minilm {

/// Bits of an IEEE 754 binary16 number.
using Half = std::uint16_t;

/// Columns of a panel. Weights lie in panels: [columns / kPanel][depth][kPanel], so that one step
/// along the depth reads one cache line.
inline constexpr std::size_t kPanel = 32;
/// Floats between two rows of the inner layer. Not a power of two's multiple: the rows of a tile
/// would fall into the same few sets of the first-level cache.
inline constexpr std::size_t kInnerStride = kInner + 16;

/// What dense() does with its sums.
enum class Finish : std::uint8_t {
  /// out = in * weights + bias
  Store,
  /// out = gelu(in * weights + bias), the exact one: x * (1 + erf(x / sqrt 2)) / 2
  Gelu,
  /// out += in * weights + bias
  Add,
};

/// One matrix product. Depth and stride of `in` follow from the kernel that is called.
struct Dense {
  /// [rows, depth]
  const float* in;
  std::size_t rows;
  /// Panels of [depth, columns], at an address divisible by 64.
  const Half* weights;
  /// [columns]
  const float* bias;
  /// A multiple of kPanel.
  std::size_t columns;
  Finish finish;
  /// Element [row, column] lies at row * out_stride + column / kPanel * panel_stride +
  /// column % kPanel. Does not overlap `in`.
  float* out;
  std::size_t out_stride;
  std::size_t panel_stride = kPanel;
};

/// The arithmetic of the encoder for one instruction set.
///
/// Each row of a result depends on its own row of the input only, and is summed in the same order
/// however many rows there are: a text's vector does not depend on its neighbours in a batch.
///
/// Threads: any; the functions have no state.
struct Kernels {
  const char* name;

  /// Depth kHidden, rows of `in` kHidden floats apart.
  void (*dense_hidden)(const Dense&);
  /// Depth kInner, rows of `in` kInnerStride floats apart.
  void (*dense_inner)(const Dense&);
  /// Attention of all heads within one window. `qkv`: [3, kHeads, tokens, kHeadSize], queries
  /// before keys before values, `head_stride` floats from head to head; `out`: [tokens, kHidden];
  /// `tokens` is 1 to kWindow.
  void (*attention)(const float* qkv, std::size_t head_stride, std::size_t tokens, float* out);
  /// Normalises each row of `x` [rows, kHidden] to mean 0 and variance 1, then scales and shifts.
  void (*layer_norm)(float* x, std::size_t rows, const float* gain, const float* shift);
  /// out[i] = float(in[i]) + add[i] for kHidden elements.
  void (*widen_add)(const Half* in, const float* add, float* out);
};

/// Those this processor can run, the fastest first. Never empty.
std::span<const Kernels* const> usable_kernels();

/// Lays `weights` [columns, depth], as model files have them, out in panels at `packed`.
/// False if one of them is not finite. `columns` and `depth` are multiples of kPanel.
bool pack(std::span<const std::byte> weights, std::size_t columns, std::size_t depth, Half* packed);

/// Whether none of `halves` is infinite or not a number.
bool all_finite(std::span<const Half> halves);

/// The number that `bits` stand for, which must be finite.
float widen(Half bits) noexcept;

}  // namespace quiver::embedding::minilm
