// The encoder is held to the vectors of an independent engine over the same weights, to published
// values, and to itself: a window's vector must not depend on its neighbours.

#include "embedding/minilm/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include "embedding/minilm/windows.h"
#include "tests/embedding/support.h"

namespace quiver::embedding::minilm {
namespace {

std::vector<float> encode(const Encoder& encoder, const std::vector<TokenId>& window) {
  std::vector<float> vector(kHidden);
  const Window view(window);
  encoder.encode({&view, 1}, vector.data());
  return vector;
}

/// The window of `text`, cut off where the model ends.
std::vector<TokenId> first_window(std::string_view text) {
  auto tokens = loaded_model().tokenizer.tokenize(text);
  tokens.resize(std::min(tokens.size(), kWindow - 2));
  return cut_windows(tokens, 101, 102).front();
}

Weights fresh_weights() {
  const auto file = Safetensors::parse(std::as_bytes(std::span(weight_file())));
  REQUIRE(file.ok());
  auto weights = Weights::read(*file);
  REQUIRE(weights.ok());
  return *std::move(weights);
}

TEST_CASE("Encoder: vectors agree with an independent engine on every instruction set",
          "[embedding][encoder]") {
  const auto references = reference_texts();
  REQUIRE(references.size() >= 12);
  for (const Kernels* kernels : usable_kernels()) {
    const Encoder encoder(fresh_weights(), *kernels);
    for (const ReferenceText& reference : references) {
      INFO(encoder.kernels_name() << ": " << reference.text.substr(0, 60));
      const auto vector = encode(encoder, first_window(reference.text));
      CHECK(cosine(vector, reference.vector) >= 0.999999);
      double worst = 0;
      for (std::size_t i = 0; i < kHidden; ++i) {
        worst = std::max(worst, std::abs(double{vector[i]} - reference.vector[i]));
      }
      CHECK(worst < 5e-6);
    }
  }
}

TEST_CASE("Encoder: the published example has its published values", "[embedding][encoder]") {
  const auto vector = encode(loaded_model().encoder, first_window("This is an example sentence"));
  CHECK(vector[0] == Approx(0.06766).margin(1e-5));
  CHECK(vector[1] == Approx(0.06356).margin(1e-5));
  CHECK(vector[2] == Approx(0.04873).margin(1e-5));
}

TEST_CASE("Encoder: windows encoded together have the bits they have alone",
          "[embedding][encoder]") {
  const Encoder& encoder = loaded_model().encoder;
  std::mt19937 random(7);
  std::vector<std::vector<TokenId>> windows;
  for (const std::size_t size : std::vector<std::size_t>{3, 1, 19, 256, 2, 33, 64}) {
    std::vector<TokenId>& window = windows.emplace_back(size);
    for (TokenId& token : window) token = static_cast<TokenId>(random() % kVocabulary);
  }
  const std::vector<Window> views(windows.begin(), windows.end());
  std::vector<float> together(views.size() * kHidden);
  encoder.encode(views, together.data());
  for (std::size_t i = 0; i < windows.size(); ++i) {
    INFO("window " << i << " of " << windows[i].size() << " tokens");
    const auto alone = encode(encoder, windows[i]);
    CHECK(std::memcmp(alone.data(), together.data() + i * kHidden, kHidden * sizeof(float)) == 0);
  }
}

TEST_CASE("Encoder: vectors have unit length, and every id has one", "[embedding][encoder]") {
  const Encoder& encoder = loaded_model().encoder;
  for (TokenId token = 0; token < kVocabulary; token += 2774) {
    double squares = 0;
    for (const float x : encode(encoder, {101, token, 102})) squares += double{x} * x;
    CHECK(squares == Approx(1.0).margin(1e-6));
  }
  CHECK(encode(encoder, {101, kVocabulary - 1, 102}).size() == kHidden);
}

TEST_CASE("Encoder: order of words matters", "[embedding][encoder]") {
  const Encoder& encoder = loaded_model().encoder;
  const auto bites = encode(encoder, first_window("the dog bites the man"));
  const auto bitten = encode(encoder, first_window("the man bites the dog"));
  CHECK(cosine(bites, bitten) < 0.9999);
}

TEST_CASE("normalise: a vector of length 0 stays as it is", "[embedding][encoder]") {
  std::vector<float> zero(4, 0.0F);
  normalise(zero);
  CHECK(zero == std::vector<float>(4, 0.0F));
  std::vector<float> vector{3.0F, 0.0F, -4.0F};
  normalise(vector);
  CHECK(vector == std::vector<float>{0.6F, 0.0F, -0.8F});
}

}  // namespace
}  // namespace quiver::embedding::minilm
