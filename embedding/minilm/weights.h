#pragma once

#include <array>
#include <vector>

#include "core/result.h"
#include "embedding/minilm/aligned.h"
#include "embedding/minilm/kernels.h"
#include "embedding/minilm/safetensors.h"

namespace quiver::embedding::minilm {

/// Weights of one matrix product, as dense() of the kernels reads them.
struct Linear {
  /// Panels of [depth, columns].
  Aligned<Half> panels;
  /// [columns]
  std::vector<float> bias;
  std::size_t columns = 0;
};

/// Scale and offset of one layer normalisation, [kHidden] each.
struct Norm {
  std::vector<float> gain;
  std::vector<float> shift;
};

/// One layer of the encoder.
struct Layer {
  /// Queries, keys and values side by side: [kHidden, 3 * kHidden].
  Linear qkv;
  /// [kHidden, kHidden]
  Linear attention_out;
  Norm attention_norm;
  /// [kHidden, kInner]
  Linear up;
  /// [kInner, kHidden]
  Linear down;
  Norm norm;
};

/// Everything that the model has learnt: 44 MB, for matrices stay 16 bits wide.
struct Weights {
  /// [kVocabulary, kHidden]
  std::vector<Half> words;
  /// [kWindow, kHidden]: of the position, plus of the one segment there is.
  std::vector<float> positions;
  Norm embedding_norm;
  std::array<Layer, kLayers> layers;

  /// Copies what is needed: `file` may go afterwards.
  ///
  /// Errors: Corruption if a tensor is missing, has another type or shape, or is not finite.
  static Result<Weights> read(const Safetensors& file);
};

}  // namespace quiver::embedding::minilm
