#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "embedding/minilm/shape.h"

namespace quiver::embedding::minilm {

/// From text to the word pieces of the model's vocabulary.
///
/// A word becomes the longest piece that starts it, then the longest that goes on, and so on; one
/// that cannot be finished so becomes [UNK] as a whole. Names of special tokens in a text, such as
/// "[SEP]", are those tokens, as in the model's own tokenizer.
///
/// Threads: any; unchanged after read().
class Tokenizer {
 public:
  /// `json`: text of the model's tokenizer.json.
  ///
  /// Errors: Corruption if it is not JSON, describes another kind of tokenizer, or its vocabulary
  /// is not the ids 0 to kVocabulary - 1, each once.
  static Result<Tokenizer> read(std::string_view json);

  /// Pieces of `text` (UTF-8), without the [CLS] and [SEP] that frame a window. Empty if nothing
  /// is left of the text, as of white space.
  std::vector<TokenId> tokenize(std::string_view text) const;

  TokenId cls() const noexcept { return cls_; }
  TokenId sep() const noexcept { return sep_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Pieces {
    std::unordered_map<std::string, TokenId, Hash, std::equal_to<>> ids;
    std::size_t bytes_max = 0;

    /// The longest piece that `text` starts with, and its length in bytes; 0 if there is none.
    std::pair<TokenId, std::size_t> longest(std::string_view text) const;
  };

  void add(const std::string& piece, TokenId id);
  Result<TokenId> special(std::string_view name) const;
  void append_plain(std::string_view text, std::vector<TokenId>& tokens) const;
  void append_word(std::string_view word, std::vector<TokenId>& tokens) const;

  Pieces starts_;
  /// Without their "##".
  Pieces continues_;
  std::vector<std::pair<std::string, TokenId>> special_;
  TokenId unknown_ = 0;
  TokenId cls_ = 0;
  TokenId sep_ = 0;
};

}  // namespace quiver::embedding::minilm
