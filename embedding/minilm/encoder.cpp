#include "embedding/minilm/encoder.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace quiver::embedding::minilm {
namespace {

/// Rows that pass both inner products before the next ones start: their inner rows, 0.5 MB, stay
/// in the second-level cache. A multiple of the kernels' 14, 6 and 4 rows.
constexpr std::size_t kInnerRows = 84;

/// Mean of the rows of `x` [rows, kHidden], scaled to unit length.
void pool(const float* x, std::size_t rows, float* out) {
  std::fill_n(out, kHidden, 0.0F);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < kHidden; ++i) out[i] += x[r * kHidden + i];
  }
  normalise({out, kHidden});
}

}  // namespace

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float element : vector) squares += static_cast<double>(element) * element;
  const double length = std::sqrt(squares);
  if (length == 0) return;
  for (float& element : vector) element = static_cast<float>(element / length);
}

struct Encoder::Scratch {
  explicit Scratch(std::size_t token_count)
      : tokens(token_count),
        hidden(make_aligned<float>(tokens * kHidden)),
        qkv(make_aligned<float>(3 * tokens * kHidden)),
        mixed(make_aligned<float>(tokens * kHidden)),
        inner(make_aligned<float>(std::min(tokens, kInnerRows) * kInnerStride)) {}

  std::size_t tokens;
  Aligned<float> hidden;
  Aligned<float> qkv;
  Aligned<float> mixed;
  Aligned<float> inner;
};

void Encoder::run_layer(const Layer& layer, std::span<const Window> windows, Scratch& s) const {
  float* hidden = s.hidden.get();
  const auto product = [](const Linear& linear, const float* in, std::size_t rows, Finish finish,
                          float* out, std::size_t stride) {
    return Dense{in,  rows,  linear.panels.get(), linear.bias.data(), linear.columns, finish,
                 out, stride};
  };
  // A head is as wide as a panel: let each panel's columns lie together, head by head.
  Dense qkv = product(layer.qkv, hidden, s.tokens, Finish::Store, s.qkv.get(), kHeadSize);
  qkv.panel_stride = s.tokens * kHeadSize;
  kernels_.dense_hidden(qkv);

  std::size_t first = 0;
  for (const Window& window : windows) {
    kernels_.attention(s.qkv.get() + first * kHeadSize, qkv.panel_stride, window.size(),
                       s.mixed.get() + first * kHidden);
    first += window.size();
  }
  kernels_.dense_hidden(
      product(layer.attention_out, s.mixed.get(), s.tokens, Finish::Add, hidden, kHidden));
  kernels_.layer_norm(hidden, s.tokens, layer.attention_norm.gain.data(),
                      layer.attention_norm.shift.data());

  for (std::size_t row = 0; row < s.tokens; row += kInnerRows) {
    const std::size_t rows = std::min(kInnerRows, s.tokens - row);
    float* at = hidden + row * kHidden;
    float* inner = s.inner.get();
    kernels_.dense_hidden(product(layer.up, at, rows, Finish::Gelu, inner, kInnerStride));
    kernels_.dense_inner(product(layer.down, inner, rows, Finish::Add, at, kHidden));
  }
  kernels_.layer_norm(hidden, s.tokens, layer.norm.gain.data(), layer.norm.shift.data());
}

void Encoder::encode(std::span<const Window> windows, float* out) const {
  std::size_t tokens = 0;
  for (const Window& window : windows) {
    assert(!window.empty() && window.size() <= kWindow);
    tokens += window.size();
  }
  Scratch scratch(tokens);
  float* row = scratch.hidden.get();
  for (const Window& window : windows) {
    for (std::size_t i = 0; i < window.size(); ++i, row += kHidden) {
      assert(window[i] < kVocabulary);
      kernels_.widen_add(weights_.words.data() + window[i] * kHidden,
                         weights_.positions.data() + i * kHidden, row);
    }
  }
  kernels_.layer_norm(scratch.hidden.get(), tokens, weights_.embedding_norm.gain.data(),
                      weights_.embedding_norm.shift.data());
  for (const Layer& layer : weights_.layers) run_layer(layer, windows, scratch);
  const float* from = scratch.hidden.get();
  for (const Window& window : windows) {
    pool(from, window.size(), out);
    from += window.size() * kHidden;
    out += kHidden;
  }
}

}  // namespace quiver::embedding::minilm
