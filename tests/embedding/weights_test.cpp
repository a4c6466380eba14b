// The published file, damaged in one place at a time.

#include "embedding/minilm/weights.h"

#include <cmath>
#include <string>

#include <catch2/catch.hpp>

#include "tests/embedding/support.h"

namespace quiver::embedding::minilm {
namespace {

using Catch::Matchers::Contains;

Result<Weights> read(const std::string& bytes) {
  const auto file = Safetensors::parse(std::as_bytes(std::span(bytes)));
  REQUIRE(file.ok());
  return Weights::read(*file);
}

std::string error_of(const std::string& bytes) {
  const auto weights = read(bytes);
  REQUIRE_FALSE(weights.ok());
  CHECK(weights.error().code == ErrorCode::Corruption);
  return weights.error().message;
}

/// The file with `from` in its header replaced by `to`, which is as long.
std::string with_header(const std::string& from, const std::string& to) {
  REQUIRE(from.size() == to.size());
  std::string bytes = weight_file();
  const std::size_t at = bytes.find(from);
  REQUIRE(at < 20'000);
  return bytes.replace(at, from.size(), to);
}

/// The file with the first element of tensor `name` made infinite.
std::string with_infinity(const std::string& name) {
  std::string bytes = weight_file();
  const std::size_t entry = bytes.find('"' + name + '"');
  const std::size_t offsets = bytes.find("\"data_offsets\":[", entry) + 16;
  std::size_t header = 0;
  for (std::size_t i = 8; i-- > 0;) header = header << 8 | static_cast<unsigned char>(bytes[i]);
  const std::size_t at = 8 + header + std::stoul(bytes.substr(offsets, 20));
  bytes[at] = '\x00';
  bytes[at + 1] = '\x7c';
  return bytes;
}

TEST_CASE("Weights: the published file is read whole", "[embedding][weights]") {
  const auto weights = read(weight_file());
  REQUIRE(weights.ok());
  CHECK(weights->words.size() == kVocabulary * kHidden);
  CHECK(weights->positions.size() == kWindow * kHidden);
  for (const Layer& layer : weights->layers) {
    CHECK(layer.qkv.columns == 3 * kHidden);
    CHECK(layer.qkv.bias.size() == 3 * kHidden);
    CHECK(layer.attention_out.columns == kHidden);
    CHECK(layer.up.columns == kInner);
    CHECK(layer.down.columns == kHidden);
    CHECK(layer.norm.gain.size() == kHidden);
  }
}

TEST_CASE("Weights: a tensor that is missing or of another kind is named", "[embedding][weights]") {
  CHECK_THAT(error_of(with_header("\"embeddings.word_embeddings.weight\"",
                                  "\"embeddings.w0rd_embeddings.weight\"")),
             Contains("embeddings.word_embeddings.weight is missing"));
  CHECK_THAT(error_of(with_header("\"encoder.layer.5.output.LayerNorm.bias\"",
                                  "\"encoder.layer.6.output.LayerNorm.bias\"")),
             Contains("encoder.layer.5.output.LayerNorm.bias is missing"));
  CHECK_THAT(error_of(with_header("\"encoder.layer.3.attention.self.key.weight\"",
                                  "\"encoder.layer.3.attention.self.kez.weight\"")),
             Contains("self.key.weight is missing"));
  CHECK_THAT(error_of(with_header("[30522,384]", "[384,30522]")),
             Contains("word_embeddings.weight has an unexpected shape"));
}

TEST_CASE("Weights: values that are not finite are refused", "[embedding][weights]") {
  for (const char* name :
       {"embeddings.word_embeddings.weight", "embeddings.LayerNorm.bias",
        "encoder.layer.0.attention.self.value.weight", "encoder.layer.2.output.dense.bias"}) {
    CHECK_THAT(error_of(with_infinity(name)),
               Contains(std::string("tensor ") + name + " holds a value that is not finite"));
  }
}

}  // namespace
}  // namespace quiver::embedding::minilm
