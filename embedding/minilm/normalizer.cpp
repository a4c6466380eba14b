#include "embedding/minilm/normalizer.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include <utf8proc.h>

namespace quiver::embedding::minilm {
namespace {

using CodePoint = utf8proc_int32_t;

constexpr CodePoint kReplacement = 0xFFFD;

/// The property White_Space of Unicode.
bool is_space(CodePoint c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_dropped(CodePoint c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c == 0 || c == kReplacement) return true;
  const auto category = utf8proc_category(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

/// The blocks that the model's tokenizer takes for Chinese. That the one from 2B920 on starts so
/// late is an error of that tokenizer, kept because the vectors must agree.
bool is_chinese(CodePoint c) {
  constexpr std::pair<CodePoint, CodePoint> kBlocks[] = {
      {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
      {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F},
  };
  return std::any_of(std::begin(kBlocks), std::end(kBlocks),
                     [c](const auto& block) { return c >= block.first && c <= block.second; });
}

bool is_punctuation(CodePoint c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

void append(std::string& to, CodePoint c) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(c, bytes);
  to.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

/// `text` without control characters, and with spaces around Chinese characters.
std::string clean(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    CodePoint c = kReplacement;
    // At least one byte, so that bytes which are no UTF-8 are passed over.
    const auto read = std::max<utf8proc_ssize_t>(utf8proc_iterate(at, left, &c), 1);
    at += read;
    left -= read;
    if (c < 0 || is_dropped(c)) continue;
    if (is_space(c)) {
      result.push_back(' ');
    } else if (is_chinese(c)) {
      result.push_back(' ');
      append(result, c);
      result.push_back(' ');
    } else {
      append(result, c);
    }
  }
  return result;
}

/// Code points of `text` with accents apart from their letters: normal form D.
std::vector<CodePoint> decompose(const std::string& text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  // Two bytes can become three code points, never more for a byte.
  std::vector<CodePoint> points(text.size() + text.size() / 2 + 1);
  const auto count = utf8proc_decompose(bytes, size, points.data(),
                                        static_cast<utf8proc_ssize_t>(points.size()), kOptions);
  // Negative only for what is not UTF-8, which clean() does not produce.
  points.resize(static_cast<std::size_t>(std::max<utf8proc_ssize_t>(count, 0)));
  return points;
}

}  // namespace

std::vector<std::string> normalised_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (const CodePoint c : decompose(clean(text))) {
    if (c >= 0x80 && utf8proc_category(c) == UTF8PROC_CATEGORY_MN) continue;
    if (is_space(c)) {
      end_word();
    } else if (is_punctuation(c)) {
      end_word();
      append(word, c);
      end_word();
    } else {
      append(word, utf8proc_tolower(c));
    }
  }
  end_word();
  return words;
}

std::size_t code_points(std::string_view text) noexcept {
  // Every byte but those that continue a sequence, 10xxxxxx, starts one.
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

}  // namespace quiver::embedding::minilm
