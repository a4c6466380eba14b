// Ids are looked up by hand in the vocabulary. That whole texts agree with an independent
// tokenizer is held by the vectors of encoder_test.cpp.

#include "embedding/minilm/tokenizer.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "embedding/minilm/normalizer.h"
#include "tests/embedding/support.h"

namespace quiver::embedding::minilm {
namespace {

using Ids = std::vector<TokenId>;
using Words = std::vector<std::string>;

Ids ids(std::string_view text) {
  return loaded_model().tokenizer.tokenize(text);
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST_CASE("Tokenizer: words of the vocabulary are one piece", "[embedding][tokenizer]") {
  CHECK(ids("This is an example sentence") == Ids{2023, 2003, 2019, 2742, 6251});
  CHECK(ids("THE Quick bRoWn fox") == Ids{1996, 4248, 2829, 4419});
  CHECK(ids("a") == Ids{1037});
}

TEST_CASE("Tokenizer: other words are the longest pieces from the left", "[embedding][tokenizer]") {
  // una ##ffa ##ble
  CHECK(ids("unaffable") == Ids{14477, 20961, 3468});
  // em ##bed ##ding ##s
  CHECK(ids("embeddings") == Ids{7861, 8270, 4667, 2015});
  // 202 ##6, though 20 ##26 would do as well.
  CHECK(ids("2026") == Ids{16798, 2575});
}

TEST_CASE("Tokenizer: punctuation stands alone", "[embedding][tokenizer]") {
  // hello , world ! don ' t
  CHECK(ids("hello,world! don't") == Ids{7592, 1010, 2088, 999, 2123, 1005, 1056});
  // $ 3 . 14
  CHECK(ids("$3.14") == Ids{1002, 1017, 1012, 2403});
  // « § » ¿
  CHECK(ids("«§»¿") == Ids{1077, 1073, 1090, 1094});
}

TEST_CASE("Tokenizer: accents and case do not matter", "[embedding][tokenizer]") {
  CHECK(ids("CAFÉ Zürich naïve") == Ids{7668, 10204, 15743});
  // The same in composed and decomposed form; the Kelvin and Angstrom signs are letters.
  CHECK(ids("caf\u00e9") == ids("cafe\u0301"));
  CHECK(ids("\u212b") == Ids{1037});
  CHECK(ids("\u0130stanbul") == Ids{9960});
}

TEST_CASE("Tokenizer: Chinese characters stand alone, Korean ones fall into letters",
          "[embedding][tokenizer]") {
  CHECK(ids("東京") == Ids{1879, 1755});
  CHECK(ids("x東y") == Ids{1060, 1879, 1061});
  // ᄒ ##ᅡ ##ᆫ
  CHECK(ids("\ud55c") == Ids{1469, 30006, 30021});
}

TEST_CASE("Tokenizer: what has no pieces is unknown as a whole", "[embedding][tokenizer]") {
  CHECK(ids("hello \U0001F600 world") == Ids{7592, 100, 2088});
  CHECK(ids("hello\U0001F600") == Ids{100});
  CHECK(ids(std::string(100, 'a')).size() > 1);
  CHECK(ids(std::string(101, 'a')) == Ids{100});
  // 100 letters of two bytes, which lose their accents.
  CHECK(ids(repeat("\u00e9", 100)).size() > 1);
}

TEST_CASE("Tokenizer: names of special tokens are those tokens, exactly as written",
          "[embedding][tokenizer]") {
  CHECK(ids("[PAD][UNK] [CLS]x[SEP]y[MASK]") == Ids{0, 100, 101, 1060, 102, 1061, 103});
  // [ sep ]
  CHECK(ids("[sep]") == Ids{1031, 19802, 1033});
  CHECK(ids("[[SEP]") == Ids{1031, 102});
  CHECK(ids("[SEP") == Ids{1031, 19802});
}

TEST_CASE("Tokenizer: nothing comes of nothing", "[embedding][tokenizer]") {
  CHECK(ids("").empty());
  CHECK(ids(" \t\r\n\u00a0\u3000").empty());
  CHECK(ids("\u200b\u00ad\u0301").empty());
}

TEST_CASE("Normalizer: control characters go, all kinds of space separate",
          "[embedding][tokenizer]") {
  CHECK(normalised_words("a\u0007b c\u200bd") == Words{"ab", "cd"});
  CHECK(normalised_words("a\tb\nc\rd\u00a0e\u2028f\u3000g") ==
        Words{"a", "b", "c", "d", "e", "f", "g"});
  CHECK(normalised_words(std::string_view("a\0b", 3)) == Words{"ab"});
  // Private use goes, what is not assigned stays.
  CHECK(normalised_words("a\ue000b c\u0378d") == Words{"ab", "c\u0378d"});
}

TEST_CASE("Normalizer: marks that take room of their own stay", "[embedding][tokenizer]") {
  CHECK(normalised_words("a\u0300b") == Words{"ab"});
  CHECK(normalised_words("a\u0903b") == Words{"a\u0903b"});
  CHECK(normalised_words("a\u20ddb") == Words{"a\u20ddb"});
}

TEST_CASE("Normalizer: currency is no punctuation, unless ASCII says so",
          "[embedding][tokenizer]") {
  CHECK(normalised_words("a\u20acb") == Words{"a\u20acb"});
  CHECK(normalised_words("a$b^c`d") == Words{"a", "$", "b", "^", "c", "`", "d"});
}

TEST_CASE("Normalizer: bytes that are no UTF-8 are passed over", "[embedding][tokenizer]") {
  CHECK(normalised_words("a\xff\xc3 b\xe2\x82") == Words{"a", "b"});
  CHECK(normalised_words("\xed\xa0\x80x") == Words{"x"});
}

TEST_CASE("Normalizer: code points are counted, not bytes", "[embedding][tokenizer]") {
  CHECK(code_points("") == 0);
  CHECK(code_points("a\u00e9\u6771\U0001F600") == 4);
}

std::string error_of(const std::string& json) {
  const auto result = Tokenizer::read(json);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::Corruption);
  return result.error().message;
}

TEST_CASE("Tokenizer: a damaged tokenizer.json is refused", "[embedding][tokenizer]") {
  const std::string good = read_file(model_dir() / "tokenizer.json");
  REQUIRE(Tokenizer::read(good).ok());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    const std::size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of(""), Contains("not a JSON object"));
  CHECK_THAT(error_of("[1]"), Contains("not a JSON object"));
  CHECK_THAT(error_of("{}"), Contains("/model/type must be \"WordPiece\""));
  CHECK_THAT(error_of(R"({"model":"WordPiece"})"), Contains("/model/type must be"));
  CHECK_THAT(error_of(good.substr(0, good.size() / 2)), Contains("not a JSON object"));
  CHECK_THAT(error_of(with("\"lowercase\":true", "\"lowercase\":false")),
             Contains("/normalizer/lowercase must be true"));
  CHECK_THAT(error_of(with("\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":9")),
             Contains("must be 100"));
  // A piece that is missing, twice, out of range, or no number.
  CHECK_THAT(error_of(with("\"[PAD]\":0,", "")), Contains("30522 pieces"));
  CHECK_THAT(error_of(with("\"[PAD]\":0,", "\"[PAD]\":100,")), Contains("used twice"));
  CHECK_THAT(error_of(with("\"[PAD]\":0,", "\"[PAD]\":30522,")), Contains("\"[PAD]\""));
  CHECK_THAT(error_of(with("\"[PAD]\":0,", "\"[PAD]\":-1,")), Contains("\"[PAD]\""));
  CHECK_THAT(error_of(with("\"[PAD]\":0,", "\"[PAD]\":\"0\",")), Contains("\"[PAD]\""));
  CHECK_THAT(error_of(with("\"[MASK]\":103", "\"[MASQ]\":103")), Contains("no piece [MASK]"));
}

}  // namespace
}  // namespace quiver::embedding::minilm
