// The kernels, written once over a struct Simd that the including file defines before it: a vector
// of kLanes floats and the few operations that differ between instruction sets. No #pragma once:
// each including file compiles its own copy under its own instruction set.
//
// Nothing here calls a function of the standard library: the linker could pick the copy that was
// compiled for AVX-512 for the whole program.

namespace quiver::embedding::minilm {
namespace {

using V = Simd::V;
typedef std::int32_t I __attribute__((vector_size(sizeof(V))));  // NOLINT: attribute needs typedef

#define QV_INLINE inline __attribute__((always_inline))

/// Columns of a tile: two vectors, so that each broadcast of the input serves two products.
constexpr std::size_t kTile = 2 * Simd::kLanes;
constexpr std::size_t kTilesPerPanel = kPanel / kTile;
static_assert(kPanel % kTile == 0);
/// Floats between two rows of attention scores.
constexpr std::size_t kScoreStride = kWindow + 16;

QV_INLINE V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
QV_INLINE void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}
QV_INLINE V max(V a, V b) {
  return a > b ? a : b;
}
QV_INLINE float sum(V v) {
  float total = 0;
  for (std::size_t i = 0; i < Simd::kLanes; ++i) total += v[i];
  return total;
}

/// e^x for x <= 0, relative error below 2e-7; 0 where e^x is no normal number.
QV_INLINE V exp_nonpositive(V x) {
  const V lowest = Simd::set(-87.0F);
  const V in_range = max(x, lowest);
  // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to the integer n, and leaves it
  // in the low bits. ln 2 is taken in two parts, the first with few bits, so that r is exact.
  const V magic = Simd::set(12582912.0F);
  const V shifted = Simd::fma(in_range, Simd::set(1.44269504F), magic);
  const V n = shifted - magic;
  V r = Simd::fma(n, Simd::set(-0.693359375F), in_range);
  r = Simd::fma(n, Simd::set(2.12194440e-4F), r);
  // Taylor's series to r^7: the next term is below 6e-9.
  V p = Simd::set(1.0F / 5040);
  p = Simd::fma(p, r, Simd::set(1.0F / 720));
  p = Simd::fma(p, r, Simd::set(1.0F / 120));
  p = Simd::fma(p, r, Simd::set(1.0F / 24));
  p = Simd::fma(p, r, Simd::set(1.0F / 6));
  p = Simd::fma(p, r, Simd::set(0.5F));
  p = Simd::fma(p, r, Simd::set(1.0F));
  p = Simd::fma(p, r, Simd::set(1.0F));
  // 2^n: the exponent field of 1.0 plus n.
  const I power = ((I)shifted << 23) + 0x3f800000;
  const V result = p * (V)power;
  return x < lowest ? Simd::set(0.0F) : result;
}

/// x * (1 + erf(x / sqrt 2)) / 2, absolute error below 1e-6.
/// Source: erf by Abramowitz and Stegun, formula 7.1.26.
QV_INLINE V gelu(V x) {
  const V zero = Simd::set(0.0F);
  const V magnitude = max(x, zero - x);
  const V z = magnitude * Simd::set(0.70710678F);
  const V t = Simd::set(1.0F) / Simd::fma(z, Simd::set(0.3275911F), Simd::set(1.0F));
  V p = Simd::set(1.061405429F);
  p = Simd::fma(p, t, Simd::set(-1.453152027F));
  p = Simd::fma(p, t, Simd::set(1.421413741F));
  p = Simd::fma(p, t, Simd::set(-0.284496736F));
  p = Simd::fma(p, t, Simd::set(0.254829592F));
  // Half of erfc(|z|): what is missing from 1, or from 0 on the negative side.
  const V tail = Simd::set(0.5F) * p * t * exp_nonpositive(zero - z * z);
  return max(x, zero) - magnitude * tail;
}

QV_INLINE V load_b(const Half* p) {
  return Simd::widen(p);
}
QV_INLINE V load_b(const float* p) {
  return load(p);
}

/// out[Rows, kTile] = start + a[Rows, depth] * b[depth, kTile], all sums in registers.
/// A stride known when compiling keeps the addresses of all rows in one register.
template <std::size_t Rows, std::size_t AStride, typename B>
void tile(const float* a, const B* b, std::size_t b_stride, std::size_t depth, const float* bias,
          Finish finish, float* out, std::size_t out_stride) {
  V low[Rows];
  V high[Rows];
  const V start_low = bias ? load(bias) : Simd::set(0.0F);
  const V start_high = bias ? load(bias + Simd::kLanes) : Simd::set(0.0F);
#pragma GCC unroll 16
  for (std::size_t r = 0; r < Rows; ++r) {
    low[r] = start_low;
    high[r] = start_high;
  }
  for (std::size_t k = 0; k < depth; ++k) {
    const V b_low = load_b(b);
    const V b_high = load_b(b + Simd::kLanes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r) {
      const V x = Simd::set(a[r * AStride]);
      low[r] = Simd::fma(x, b_low, low[r]);
      high[r] = Simd::fma(x, b_high, high[r]);
    }
    ++a;
    b += b_stride;
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < Rows; ++r) {
    float* to = out + r * out_stride;
    if (finish == Finish::Add) {
      low[r] += load(to);
      high[r] += load(to + Simd::kLanes);
    }
    store(to, low[r]);
    store(to + Simd::kLanes, high[r]);
  }
  if (finish != Finish::Gelu) return;
  for (std::size_t r = 0; r < Rows; ++r) {
    float* to = out + r * out_stride;
    store(to, gelu(load(to)));
    store(to + Simd::kLanes, gelu(load(to + Simd::kLanes)));
  }
}

template <std::size_t AStride, typename B>
using TileFunction = void (*)(const float*, const B*, std::size_t, std::size_t, const float*,
                              Finish, float*, std::size_t);

/// tile<Rows>() for a number of rows known at run time, 1 to Simd::kRows.
template <std::size_t AStride, typename B, std::size_t Rows = Simd::kRows>
QV_INLINE TileFunction<AStride, B> tile_of(std::size_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return tile_of<AStride, B, Rows - 1>(rows);
  }
  return &tile<Rows, AStride, B>;
}

/// Rows of the next block when `left` remain: nearly equal blocks, for a last one of a single row
/// would take almost as long as a full one.
QV_INLINE std::size_t block_rows(std::size_t left) {
  const std::size_t blocks = (left + Simd::kRows - 1) / Simd::kRows;
  return (left + blocks - 1) / blocks;
}

/// One column of tiles, kTile wide: all rows against `b`.
template <std::size_t AStride, typename B>
void tile_column(const Dense& d, const B* b, std::size_t b_stride, std::size_t depth,
                 std::size_t column) {
  float* out = d.out + column / kPanel * d.panel_stride + column % kPanel;
  for (std::size_t row = 0; row < d.rows;) {
    const std::size_t rows = block_rows(d.rows - row);
    tile_of<AStride, B>(rows)(d.in + row * AStride, b, b_stride, depth, d.bias + column, d.finish,
                              out + row * d.out_stride, d.out_stride);
    row += rows;
  }
}

template <std::size_t Depth, std::size_t AStride>
void dense(const Dense& d) {
  for (std::size_t column = 0; column < d.columns; column += kTile) {
    const Half* panel = d.weights + column / kPanel * (kPanel * Depth) + column % kPanel;
    if constexpr (Simd::kWidensInLoop) {
      tile_column<AStride>(d, panel, kPanel, Depth, column);
    } else {
      // Widening costs more than the products of one tile: do it once for all rows.
      alignas(64) float wide[Depth * kTile];
      for (std::size_t k = 0; k < Depth; ++k) {
        store(wide + k * kTile, Simd::widen(panel + k * kPanel));
        store(wide + k * kTile + Simd::kLanes, Simd::widen(panel + k * kPanel + Simd::kLanes));
      }
      tile_column<AStride>(d, static_cast<const float*>(wide), kTile, Depth, column);
    }
  }
}

/// Turns scores into weights that add up to 1, over `tokens` columns.
QV_INLINE void softmax(float* scores, std::size_t tokens) {
  // 1 / sqrt(kHeadSize), which the scores still lack.
  constexpr float kScale = 0.17677670F;
  const std::size_t padded = (tokens + Simd::kLanes - 1) / Simd::kLanes * Simd::kLanes;
  for (std::size_t i = tokens; i < padded; ++i) scores[i] = -1e30F;
  V highest = load(scores);
  for (std::size_t i = Simd::kLanes; i < padded; i += Simd::kLanes) {
    highest = max(highest, load(scores + i));
  }
  float top = highest[0];
  for (std::size_t i = 1; i < Simd::kLanes; ++i) top = highest[i] > top ? highest[i] : top;
  V total = Simd::set(0.0F);
  for (std::size_t i = 0; i < padded; i += Simd::kLanes) {
    const V e = exp_nonpositive((load(scores + i) - Simd::set(top)) * Simd::set(kScale));
    store(scores + i, e);
    total += e;
  }
  const V factor = Simd::set(1.0F / sum(total));
  for (std::size_t i = 0; i < padded; i += Simd::kLanes) {
    store(scores + i, load(scores + i) * factor);
  }
}

/// `keys` [tokens, kHeadSize] as panels [tokens / kPanel][kHeadSize][kPanel], filled up with zeros.
QV_INLINE void pack_keys(const float* keys, std::size_t tokens, float* packed) {
  const std::size_t padded = (tokens + kPanel - 1) / kPanel * kPanel;
  for (std::size_t t = 0; t < padded; ++t) {
    float* to = packed + t / kPanel * (kPanel * kHeadSize) + t % kPanel;
    for (std::size_t d = 0; d < kHeadSize; ++d) {
      to[d * kPanel] = t < tokens ? keys[t * kHeadSize + d] : 0.0F;
    }
  }
}

void attention(const float* qkv, std::size_t head_stride, std::size_t tokens, float* out) {
  static_assert(kHeadSize == kPanel);
  alignas(64) float keys[kWindow * kHeadSize];
  alignas(64) float scores[Simd::kRows * kScoreStride];
  for (std::size_t head = 0; head < kHeads; ++head) {
    const float* queries = qkv + head * head_stride;
    const float* values = queries + 2 * kHeads * head_stride;
    pack_keys(queries + kHeads * head_stride, tokens, keys);
    for (std::size_t row = 0; row < tokens;) {
      const std::size_t rows = block_rows(tokens - row);
      const auto score = tile_of<kHeadSize, float>(rows);
      for (std::size_t t = 0; t < tokens; t += kTile) {
        const float* panel = keys + t / kPanel * (kPanel * kHeadSize) + t % kPanel;
        score(queries + row * kHeadSize, panel, kPanel, kHeadSize, nullptr, Finish::Store,
              scores + t, kScoreStride);
      }
      for (std::size_t r = 0; r < rows; ++r) softmax(scores + r * kScoreStride, tokens);
      const auto mix = tile_of<kScoreStride, float>(rows);
      for (std::size_t c = 0; c < kHeadSize; c += kTile) {
        mix(scores, values + c, kHeadSize, tokens, nullptr, Finish::Store,
            out + row * kHidden + head * kHeadSize + c, kHidden);
      }
      row += rows;
    }
  }
}

void layer_norm(float* x, std::size_t rows, const float* gain, const float* shift) {
  // Below the smallest variance that float arithmetic tells from 0; config.json has it.
  constexpr float kEpsilon = 1e-12F;
  for (; rows > 0; --rows, x += kHidden) {
    V total = Simd::set(0.0F);
    for (std::size_t i = 0; i < kHidden; i += Simd::kLanes) total += load(x + i);
    const V mean = Simd::set(sum(total) / kHidden);
    V squares = Simd::set(0.0F);
    for (std::size_t i = 0; i < kHidden; i += Simd::kLanes) {
      const V delta = load(x + i) - mean;
      squares = Simd::fma(delta, delta, squares);
    }
    const V factor = Simd::set(1.0F / __builtin_sqrtf(sum(squares) / kHidden + kEpsilon));
    for (std::size_t i = 0; i < kHidden; i += Simd::kLanes) {
      const V unit = (load(x + i) - mean) * factor;
      store(x + i, Simd::fma(unit, load(gain + i), load(shift + i)));
    }
  }
}

void widen_add(const Half* in, const float* add, float* out) {
  for (std::size_t i = 0; i < kHidden; i += Simd::kLanes) {
    store(out + i, Simd::widen(in + i) + load(add + i));
  }
}

#undef QV_INLINE

constexpr Kernels table(const char* name) {
  return {
      name,      &dense<kHidden, kHidden>, &dense<kInner, kInnerStride>, &attention, &layer_norm,
      &widen_add};
}

}  // namespace
}  // namespace quiver::embedding::minilm
