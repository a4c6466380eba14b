// Every instruction set that this processor has is held to the textbook formulas in double
// precision, and to giving each row the same bits whatever rows stand beside it.

#include "embedding/minilm/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "embedding/minilm/aligned.h"

namespace quiver::embedding::minilm {
namespace {

std::vector<float> random_floats(std::size_t count, unsigned seed, float scale = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> floats(count);
  for (float& x : floats) x = normal(random);
  return floats;
}

/// Halves of magnitude below 2^-2, about as weights are, among them zeros and subnormal ones.
std::vector<Half> random_halves(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<unsigned> bits(0, 0x33ff);
  std::vector<Half> halves(count);
  for (Half& half : halves) half = static_cast<Half>(bits(random) | (random() & 1U) << 15);
  return halves;
}

double half_value(Half bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

double exact_gelu(double x) {
  return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
}

/// A product with its operands, and what comes out.
struct Product {
  Product(std::size_t columns_, std::size_t depth_, std::size_t stride_)
      : columns(columns_),
        depth(depth_),
        stride(stride_),
        weights(random_halves(columns * depth, 1)),
        packed(make_aligned<Half>(columns * depth)),
        bias(random_floats(columns, 2)) {
    REQUIRE(pack(std::as_bytes(std::span(weights)), columns, depth, packed.get()));
  }

  Dense dense(const std::vector<float>& in, std::size_t rows, Finish finish, float* out) const {
    return {in.data(), rows, packed.get(), bias.data(), columns, finish, out, columns};
  }

  double expected(const std::vector<float>& in, std::size_t row, std::size_t column) const {
    double sum = bias[column];
    for (std::size_t k = 0; k < depth; ++k) {
      sum += static_cast<double>(in[row * stride + k]) * half_value(weights[column * depth + k]);
    }
    return sum;
  }

  std::size_t columns;
  std::size_t depth;
  std::size_t stride;
  std::vector<Half> weights;
  Aligned<Half> packed;
  std::vector<float> bias;
};

using DenseKernel = void (*Kernels::*)(const Dense&);

void check_dense(const Kernels& kernels, DenseKernel kernel, const Product& product) {
  for (const std::size_t rows : {1, 2, 5, 13, 14, 15, 29}) {
    for (const Finish finish : {Finish::Store, Finish::Gelu, Finish::Add}) {
      const auto in = random_floats(rows * product.stride, 3, 0.5F);
      const auto before = random_floats(rows * product.columns, 4);
      auto out = before;
      (kernels.*kernel)(product.dense(in, rows, finish, out.data()));
      double worst = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < product.columns; ++c) {
          const std::size_t i = r * product.columns + c;
          double expected = product.expected(in, r, c);
          if (finish == Finish::Gelu) expected = exact_gelu(expected);
          if (finish == Finish::Add) expected += before[i];
          worst = std::max(worst, std::abs(expected - out[i]));
        }
      }
      INFO(kernels.name << " depth " << product.depth << " rows " << rows);
      CHECK(worst < 1e-5);
    }
  }
}

TEST_CASE("Kernels: the baseline is always usable, and comes last", "[embedding][kernels]") {
  const auto usable = usable_kernels();
  REQUIRE_FALSE(usable.empty());
  CHECK(std::string(usable.back()->name) == "baseline");
  std::set<std::string> names;
  for (const Kernels* kernels : usable) names.insert(kernels->name);
  CHECK(names.size() == usable.size());
}

TEST_CASE("Kernels: products are those of the formula", "[embedding][kernels]") {
  const Product hidden(96, kHidden, kHidden);
  const Product inner(64, kInner, kInnerStride);
  for (const Kernels* kernels : usable_kernels()) {
    check_dense(*kernels, &Kernels::dense_hidden, hidden);
    check_dense(*kernels, &Kernels::dense_inner, inner);
  }
}

TEST_CASE("Kernels: panels can be spread in the output", "[embedding][kernels]") {
  constexpr std::size_t kRows = 17;
  const Product product(96, kHidden, kHidden);
  const auto in = random_floats(kRows * kHidden, 5);
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<float> side_by_side(kRows * 96);
    kernels->dense_hidden(product.dense(in, kRows, Finish::Store, side_by_side.data()));
    std::vector<float> apart(kRows * 96);
    Dense dense = product.dense(in, kRows, Finish::Store, apart.data());
    dense.out_stride = kPanel;
    dense.panel_stride = kRows * kPanel;
    kernels->dense_hidden(dense);
    bool equal = true;
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t c = 0; c < 96; ++c) {
        equal = equal && apart[c / kPanel * kRows * kPanel + r * kPanel + c % kPanel] ==
                             side_by_side[r * 96 + c];
      }
    }
    INFO(kernels->name);
    CHECK(equal);
  }
}

TEST_CASE("Kernels: a row's bits do not depend on the rows beside it", "[embedding][kernels]") {
  constexpr std::size_t kRows = 31;
  const Product product(32, kHidden, kHidden);
  const auto in = random_floats(kRows * kHidden, 6);
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<float> together(kRows * 32);
    kernels->dense_hidden(product.dense(in, kRows, Finish::Gelu, together.data()));
    for (std::size_t r = 0; r < kRows; ++r) {
      const std::vector<float> one(in.begin() + static_cast<std::ptrdiff_t>(r * kHidden),
                                   in.begin() + static_cast<std::ptrdiff_t>((r + 1) * kHidden));
      std::vector<float> alone(32);
      kernels->dense_hidden(product.dense(one, 1, Finish::Gelu, alone.data()));
      INFO(kernels->name << " row " << r);
      CHECK(std::memcmp(alone.data(), together.data() + r * 32, 32 * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("Kernels: gelu is exact to 1e-6 from -12 to 12", "[embedding][kernels]") {
  // With weights of zero, a product is its bias.
  constexpr std::size_t kColumns = 24'000;
  const auto zeros = make_aligned<Half>(kColumns * kHidden);
  std::fill_n(zeros.get(), kColumns * kHidden, Half{0});
  const std::vector<float> in(kHidden, 1.0F);
  std::vector<float> x(kColumns);
  for (std::size_t i = 0; i < kColumns; ++i) x[i] = -12.0F + static_cast<float>(i) * 0.001F;
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<float> out(kColumns);
    kernels->dense_hidden(
        {in.data(), 1, zeros.get(), x.data(), kColumns, Finish::Gelu, out.data(), kColumns});
    double worst = 0;
    for (std::size_t i = 0; i < kColumns; ++i) {
      worst = std::max(worst, std::abs(out[i] - exact_gelu(x[i])));
    }
    INFO(kernels->name);
    CHECK(worst < 1e-6);
  }
}

/// Attention of one head by the formula: softmax(q k / sqrt(size)) v.
std::vector<double> attend(const float* q, const float* k, const float* v, std::size_t tokens,
                           std::size_t row) {
  std::vector<double> weights(tokens);
  double total = 0;
  for (std::size_t t = 0; t < tokens; ++t) {
    double score = 0;
    for (std::size_t d = 0; d < kHeadSize; ++d) {
      score += static_cast<double>(q[row * kHeadSize + d]) * k[t * kHeadSize + d];
    }
    weights[t] = std::exp(score / std::sqrt(static_cast<double>(kHeadSize)));
    total += weights[t];
  }
  std::vector<double> mixed(kHeadSize);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t d = 0; d < kHeadSize; ++d) {
      mixed[d] += weights[t] / total * v[t * kHeadSize + d];
    }
  }
  return mixed;
}

TEST_CASE("Kernels: attention is that of the formula", "[embedding][kernels]") {
  for (const std::size_t tokens : {1, 2, 7, 16, 31, 32, 33, 100, 255, 256}) {
    // Heads of two windows lie together; the second one is asked for.
    constexpr std::size_t kBefore = 3;
    const std::size_t stride = (tokens + kBefore) * kHeadSize;
    const auto qkv = random_floats(3 * kHeads * stride, 7, 1.5F);
    for (const Kernels* kernels : usable_kernels()) {
      std::vector<float> out(tokens * kHidden);
      kernels->attention(qkv.data() + kBefore * kHeadSize, stride, tokens, out.data());
      double worst = 0;
      for (std::size_t head = 0; head < kHeads; head += 11) {
        const float* q = qkv.data() + head * stride + kBefore * kHeadSize;
        for (std::size_t row = 0; row < tokens; row += 3) {
          const auto expected =
              attend(q, q + kHeads * stride, q + 2 * kHeads * stride, tokens, row);
          for (std::size_t d = 0; d < kHeadSize; ++d) {
            const float got = out[row * kHidden + head * kHeadSize + d];
            worst = std::max(worst, std::abs(expected[d] - got));
          }
        }
      }
      INFO(kernels->name << " tokens " << tokens);
      CHECK(worst < 1e-5);
    }
  }
}

TEST_CASE("Kernels: attention of far-apart scores neither overflows nor loses the highest",
          "[embedding][kernels]") {
  // Scores of 0 and 32 * 20 * 20 / sqrt 32: e to their power is no float.
  std::vector<float> qkv(3 * kHeads * 2 * kHeadSize, 0.0F);
  float* queries = qkv.data();
  float* keys = queries + kHeads * 2 * kHeadSize;
  float* values = keys + kHeads * 2 * kHeadSize;
  for (std::size_t d = 0; d < kHeadSize; ++d) {
    queries[d] = 20.0F;
    keys[kHeadSize + d] = 20.0F;
    values[d] = 1.0F;
    values[kHeadSize + d] = 2.0F;
  }
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<float> out(2 * kHidden);
    kernels->attention(qkv.data(), 2 * kHeadSize, 2, out.data());
    INFO(kernels->name);
    CHECK(out[0] == Approx(2.0F));
    CHECK(out[kHidden] == Approx(1.5F));
  }
}

TEST_CASE("Kernels: a layer norm has the formula's mean and spread", "[embedding][kernels]") {
  constexpr std::size_t kRows = 3;
  const auto x = random_floats(kRows * kHidden, 8, 3.0F);
  const auto gain = random_floats(kHidden, 9);
  const auto shift = random_floats(kHidden, 10);
  for (const Kernels* kernels : usable_kernels()) {
    auto out = x;
    kernels->layer_norm(out.data(), kRows, gain.data(), shift.data());
    double worst = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
      const float* row = x.data() + r * kHidden;
      double mean = 0;
      for (std::size_t i = 0; i < kHidden; ++i) mean += row[i] / double{kHidden};
      double variance = 0;
      for (std::size_t i = 0; i < kHidden; ++i) {
        variance += (row[i] - mean) * (row[i] - mean) / double{kHidden};
      }
      for (std::size_t i = 0; i < kHidden; ++i) {
        const double expected = (row[i] - mean) / std::sqrt(variance) * gain[i] + shift[i];
        worst = std::max(worst, std::abs(expected - out[r * kHidden + i]));
      }
    }
    INFO(kernels->name);
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("Kernels: every finite half is widened exactly", "[embedding][kernels]") {
  std::vector<Half> halves;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const Half half = static_cast<Half>(bits);
    const bool finite = (bits & 0x7c00) != 0x7c00;
    CHECK(all_finite(std::span(&half, 1)) == finite);
    if (finite) halves.push_back(half);
  }
  for (const Half half : halves) {
    if (widen(half) != half_value(half)) FAIL("bits " << half << " gave " << widen(half));
  }
  const std::vector<float> ones(kHidden, 1.0F);
  for (const Kernels* kernels : usable_kernels()) {
    for (std::size_t i = 0; i + kHidden <= halves.size(); i += kHidden) {
      std::vector<float> out(kHidden);
      kernels->widen_add(halves.data() + i, ones.data(), out.data());
      for (std::size_t j = 0; j < kHidden; ++j) {
        const float expected = static_cast<float>(half_value(halves[i + j])) + 1.0F;
        if (out[j] != expected) FAIL(kernels->name << " bits " << halves[i + j]);
      }
    }
  }
}

TEST_CASE("Kernels: packing refuses what is not finite", "[embedding][kernels]") {
  const auto packed = make_aligned<Half>(kPanel * kPanel);
  std::vector<Half> weights(kPanel * kPanel, Half{0x3c00});
  CHECK(pack(std::as_bytes(std::span(weights)), kPanel, kPanel, packed.get()));
  for (const Half bad : {Half{0x7c00}, Half{0xfc00}, Half{0x7e01}}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{333}, weights.size() - 1}) {
      const Half good = std::exchange(weights[at], bad);
      CHECK_FALSE(pack(std::as_bytes(std::span(weights)), kPanel, kPanel, packed.get()));
      weights[at] = good;
    }
  }
}

TEST_CASE("Kernels: packing turns rows of the file into panels", "[embedding][kernels]") {
  constexpr std::size_t kDepth = 3 * kPanel;
  constexpr std::size_t kColumns = 2 * kPanel;
  std::vector<Half> weights(kColumns * kDepth);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<Half>(i);
  const auto packed = make_aligned<Half>(weights.size());
  // From an odd address, as in the file.
  std::vector<std::byte> bytes(1 + 2 * weights.size());
  std::memcpy(bytes.data() + 1, weights.data(), 2 * weights.size());
  REQUIRE(pack(std::span(bytes).subspan(1), kColumns, kDepth, packed.get()));
  for (std::size_t column = 0; column < kColumns; ++column) {
    for (std::size_t k = 0; k < kDepth; ++k) {
      const std::size_t at = (column / kPanel * kDepth + k) * kPanel + column % kPanel;
      if (packed[at] != column * kDepth + k) FAIL("column " << column << " k " << k);
    }
  }
}

}  // namespace
}  // namespace quiver::embedding::minilm
