#pragma once

#include <cstddef>
#include <cstdint>

/// The fixed shape of all-MiniLM-L6-v2, as its config.json states it. The kernels are compiled for
/// these numbers, and the weights are checked against them.
namespace quiver::embedding::minilm {

inline constexpr std::size_t kHidden = 384;
inline constexpr std::size_t kHeads = 12;
inline constexpr std::size_t kHeadSize = kHidden / kHeads;
inline constexpr std::size_t kInner = 1536;
inline constexpr std::size_t kLayers = 6;
inline constexpr std::size_t kVocabulary = 30'522;
/// Rows of the position table. The model was trained on kWindow of them.
inline constexpr std::size_t kPositions = 512;
/// Tokens that the model sees at once, [CLS] and [SEP] included.
inline constexpr std::size_t kWindow = 256;

/// Number of a word piece in the vocabulary, below kVocabulary.
using TokenId = std::uint32_t;

}  // namespace quiver::embedding::minilm
