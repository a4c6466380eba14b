#pragma once

#include <span>
#include <vector>

#include "embedding/minilm/shape.h"

namespace quiver::embedding::minilm {

/// Pieces of text in each window of a long text, and how many of them the next window repeats.
inline constexpr std::size_t kWindowPieces = 200;
inline constexpr std::size_t kWindowOverlap = 40;

/// Cuts the pieces of one text into the windows that the model sees, each framed by `cls` and
/// `sep`: one window if they fit into kWindow, else windows of kWindowPieces (the last may be
/// shorter). A window shorter than the model's leaves the text's positions where the model was
/// trained most, and the overlap lets a sentence that is cut stand whole in one of the two.
/// `tokens` is not empty.
std::vector<std::vector<TokenId>> cut_windows(std::span<const TokenId> tokens, TokenId cls,
                                              TokenId sep);

}  // namespace quiver::embedding::minilm
