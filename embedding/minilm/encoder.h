#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "embedding/minilm/weights.h"

namespace quiver::embedding::minilm {

/// The tokens of one window, [CLS] and [SEP] included: 1 to kWindow of them.
using Window = std::span<const TokenId>;

/// Scales `vector` to unit length; one of length 0 stays as it is.
void normalise(std::span<float> vector);

/// all-MiniLM-L6-v2: from tokens to a vector of unit length.
///
/// Source: J. Devlin et al., BERT (2019), with mean pooling over all tokens.
///
/// Threads: any; unchanged after construction.
class Encoder {
 public:
  /// `kernels` must be of usable_kernels(): others end the program with an illegal instruction.
  Encoder(Weights weights, const Kernels& kernels)
      : weights_(std::move(weights)), kernels_(kernels) {}

  /// The vectors of `windows`, [windows, kHidden], into `out`. Several short windows cost less
  /// together than one by one, and get the same vectors bit for bit. `windows` is not empty; all
  /// ids are below kVocabulary. Memory: 14 KB for each token of all windows.
  void encode(std::span<const Window> windows, float* out) const;

  const char* kernels_name() const noexcept { return kernels_.name; }

 private:
  struct Scratch;

  void run_layer(const Layer& layer, std::span<const Window> windows, Scratch& scratch) const;

  const Weights weights_;
  const Kernels& kernels_;
};

}  // namespace quiver::embedding::minilm
