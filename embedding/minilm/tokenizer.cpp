#include "embedding/minilm/tokenizer.h"

#include <algorithm>
#include <utility>

#include "core/json.h"
#include "embedding/minilm/normalizer.h"

namespace quiver::embedding::minilm {
namespace {

constexpr std::string_view kContinues = "##";
/// Longer words are [UNK].
constexpr std::size_t kWordPointsMax = 100;

Error corrupt(const std::string& what) {
  return Error{ErrorCode::Corruption, "tokenizer.json: " + what};
}

/// Holds the settings that this tokenizer is written for against those of the file.
Status check_settings(const Json& file) {
  const std::pair<const char*, Json> settings[] = {
      {"/model/type", "WordPiece"},
      {"/model/unk_token", "[UNK]"},
      {"/model/continuing_subword_prefix", kContinues},
      {"/model/max_input_chars_per_word", kWordPointsMax},
      {"/normalizer/type", "BertNormalizer"},
      {"/normalizer/clean_text", true},
      {"/normalizer/handle_chinese_chars", true},
      // Null: as lowercase.
      {"/normalizer/strip_accents", nullptr},
      {"/normalizer/lowercase", true},
      {"/pre_tokenizer/type", "BertPreTokenizer"},
  };
  for (const auto& [path, expected] : settings) {
    const Json::json_pointer pointer(path);
    if (!file.contains(pointer) || file.at(pointer) != expected) {
      return corrupt(std::string(path) + " must be " + expected.dump());
    }
  }
  return Done{};
}

}  // namespace

Result<Tokenizer> Tokenizer::read(std::string_view json) {
  const Json file = Json::parse(json, nullptr, false);
  if (!file.is_object()) return corrupt("is not a JSON object");
  QV_CHECK(check_settings(file));
  const Json::json_pointer pointer("/model/vocab");
  if (!file.contains(pointer) || !file.at(pointer).is_object() ||
      file.at(pointer).size() != kVocabulary) {
    return corrupt("/model/vocab must be an object of " + std::to_string(kVocabulary) + " pieces");
  }
  Tokenizer tokenizer;
  std::vector<bool> seen(kVocabulary);
  for (const auto& [piece, id] : file.at(pointer).items()) {
    const bool valid = id.is_number_unsigned() && id.get<std::size_t>() < kVocabulary;
    if (!valid || seen[id.get<std::size_t>()]) {
      return corrupt("the id of piece \"" + piece + "\" is used twice or not in the vocabulary");
    }
    seen[id.get<std::size_t>()] = true;
    tokenizer.add(piece, id.get<TokenId>());
  }
  QV_TRY(tokenizer.unknown_, tokenizer.special("[UNK]"));
  QV_TRY(tokenizer.cls_, tokenizer.special("[CLS]"));
  QV_TRY(tokenizer.sep_, tokenizer.special("[SEP]"));
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    QV_TRY(const TokenId id, tokenizer.special(name));
    tokenizer.special_.emplace_back(name, id);
  }
  return tokenizer;
}

void Tokenizer::add(const std::string& piece, TokenId id) {
  const bool continues = piece.size() > kContinues.size() && piece.starts_with(kContinues);
  Pieces& pieces = continues ? continues_ : starts_;
  const std::string text = continues ? piece.substr(kContinues.size()) : piece;
  pieces.bytes_max = std::max(pieces.bytes_max, text.size());
  pieces.ids.emplace(text, id);
}

Result<TokenId> Tokenizer::special(std::string_view name) const {
  const auto found = starts_.ids.find(name);
  if (found == starts_.ids.end()) return corrupt("no piece " + std::string(name));
  return found->second;
}

std::vector<TokenId> Tokenizer::tokenize(std::string_view text) const {
  std::vector<TokenId> tokens;
  std::size_t plain = 0;
  for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at)) {
    const auto found = std::find_if(special_.begin(), special_.end(), [&](const auto& special) {
      return text.substr(at).starts_with(special.first);
    });
    if (found == special_.end()) {
      ++at;
      continue;
    }
    append_plain(text.substr(plain, at - plain), tokens);
    tokens.push_back(found->second);
    at += found->first.size();
    plain = at;
  }
  append_plain(text.substr(plain), tokens);
  return tokens;
}

void Tokenizer::append_plain(std::string_view text, std::vector<TokenId>& tokens) const {
  for (const std::string& word : normalised_words(text)) append_word(word, tokens);
}

void Tokenizer::append_word(std::string_view word, std::vector<TokenId>& tokens) const {
  const std::size_t before = tokens.size();
  const bool too_long = code_points(word) > kWordPointsMax;
  const Pieces* pieces = &starts_;
  for (std::string_view left = word; !left.empty(); pieces = &continues_) {
    const auto [id, bytes] = too_long ? std::pair<TokenId, std::size_t>() : pieces->longest(left);
    if (bytes == 0) {
      tokens.resize(before);
      tokens.push_back(unknown_);
      return;
    }
    tokens.push_back(id);
    left.remove_prefix(bytes);
  }
}

std::pair<TokenId, std::size_t> Tokenizer::Pieces::longest(std::string_view text) const {
  // Pieces are whole characters: a prefix that cuts one is none of them.
  for (std::size_t bytes = std::min(bytes_max, text.size()); bytes > 0; --bytes) {
    const auto found = ids.find(text.substr(0, bytes));
    if (found != ids.end()) return {found->second, bytes};
  }
  return {0, 0};
}

}  // namespace quiver::embedding::minilm
