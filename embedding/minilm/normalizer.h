#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quiver::embedding::minilm {

/// The words of `text` (UTF-8) as the model was trained to see them, in order: without control
/// characters and accents, in lower case, each punctuation mark and each Chinese character a word
/// of its own.
///
/// Source: BertNormalizer and BertPreTokenizer of the Hugging Face tokenizers library. Categories
/// are those of the installed utf8proc, whose Unicode is newer than that library's: characters
/// added since version 8 may be split differently. None of them is in the vocabulary.
std::vector<std::string> normalised_words(std::string_view text);

/// Number of code points of `text`, which is UTF-8.
std::size_t code_points(std::string_view text) noexcept;

}  // namespace quiver::embedding::minilm
