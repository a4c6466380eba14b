#include "embedding/minilm/weights.h"

#include <cstring>
#include <string>
#include <utility>

namespace quiver::embedding::minilm {
namespace {

Error not_finite(const std::string& name) {
  return Error{ErrorCode::Corruption, "tensor " + name + " holds a value that is not finite"};
}

Result<std::vector<Half>> read_halves(const Safetensors& file, const std::string& name,
                                      std::size_t rows, std::size_t columns) {
  QV_TRY(const auto bytes, file.halves(name, {rows, columns}));
  std::vector<Half> halves(rows * columns);
  std::memcpy(halves.data(), bytes.data(), bytes.size());
  if (!all_finite(halves)) return not_finite(name);
  return halves;
}

Result<std::vector<float>> read_vector(const Safetensors& file, const std::string& name,
                                       std::size_t size) {
  QV_TRY(const auto bytes, file.halves(name, {size}));
  std::vector<Half> halves(size);
  std::memcpy(halves.data(), bytes.data(), bytes.size());
  if (!all_finite(halves)) return not_finite(name);
  std::vector<float> floats(size);
  for (std::size_t i = 0; i < size; ++i) floats[i] = widen(halves[i]);
  return floats;
}

/// The matrices `names`, each [columns, depth] in the file, side by side.
Result<Linear> read_linear(const Safetensors& file, const std::vector<std::string>& names,
                           std::size_t columns, std::size_t depth) {
  Linear linear;
  linear.panels = make_aligned<Half>(names.size() * columns * depth);
  for (const std::string& name : names) {
    QV_TRY(const auto bytes, file.halves(name + ".weight", {columns, depth}));
    if (!pack(bytes, columns, depth, linear.panels.get() + linear.columns * depth)) {
      return not_finite(name + ".weight");
    }
    QV_TRY(const auto bias, read_vector(file, name + ".bias", columns));
    linear.bias.insert(linear.bias.end(), bias.begin(), bias.end());
    linear.columns += columns;
  }
  return linear;
}

Result<Norm> read_norm(const Safetensors& file, const std::string& name) {
  Norm norm;
  QV_TRY(norm.gain, read_vector(file, name + ".weight", kHidden));
  QV_TRY(norm.shift, read_vector(file, name + ".bias", kHidden));
  return norm;
}

Result<Layer> read_layer(const Safetensors& file, const std::string& at) {
  const std::string self = at + "attention.self.";
  const std::string out = at + "attention.output.";
  Layer layer;
  QV_TRY(layer.qkv,
         read_linear(file, {self + "query", self + "key", self + "value"}, kHidden, kHidden));
  QV_TRY(layer.attention_out, read_linear(file, {out + "dense"}, kHidden, kHidden));
  QV_TRY(layer.attention_norm, read_norm(file, out + "LayerNorm"));
  QV_TRY(layer.up, read_linear(file, {at + "intermediate.dense"}, kInner, kHidden));
  QV_TRY(layer.down, read_linear(file, {at + "output.dense"}, kHidden, kInner));
  QV_TRY(layer.norm, read_norm(file, at + "output.LayerNorm"));
  return layer;
}

}  // namespace

Result<Weights> Weights::read(const Safetensors& file) {
  const std::string at = "embeddings.";
  Weights weights;
  QV_TRY(weights.words, read_halves(file, at + "word_embeddings.weight", kVocabulary, kHidden));
  QV_TRY(const auto positions,
         read_halves(file, at + "position_embeddings.weight", kPositions, kHidden));
  // Row 1 is for the second text of a pair, which is not used here.
  QV_TRY(const auto segments, read_halves(file, at + "token_type_embeddings.weight", 2, kHidden));
  weights.positions.resize(kWindow * kHidden);
  for (std::size_t i = 0; i < weights.positions.size(); ++i) {
    weights.positions[i] = widen(positions[i]) + widen(segments[i % kHidden]);
  }
  QV_TRY(weights.embedding_norm, read_norm(file, at + "LayerNorm"));
  for (std::size_t i = 0; i < kLayers; ++i) {
    QV_TRY(weights.layers[i], read_layer(file, "encoder.layer." + std::to_string(i) + "."));
  }
  return weights;
}

}  // namespace quiver::embedding::minilm
