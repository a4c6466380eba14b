#include "embedding/minilm/windows.h"

#include <algorithm>

namespace quiver::embedding::minilm {

std::vector<std::vector<TokenId>> cut_windows(std::span<const TokenId> tokens, TokenId cls,
                                              TokenId sep) {
  constexpr std::size_t kFrame = 2;
  const bool fits = tokens.size() + kFrame <= kWindow;
  const std::size_t pieces = fits ? tokens.size() : kWindowPieces;
  std::vector<std::vector<TokenId>> windows;
  for (std::size_t begin = 0;; begin += kWindowPieces - kWindowOverlap) {
    const std::size_t end = std::min(begin + pieces, tokens.size());
    std::vector<TokenId>& window = windows.emplace_back();
    window.reserve(end - begin + kFrame);
    window.push_back(cls);
    window.insert(window.end(), tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                  tokens.begin() + static_cast<std::ptrdiff_t>(end));
    window.push_back(sep);
    if (end == tokens.size()) return windows;
  }
}

}  // namespace quiver::embedding::minilm
