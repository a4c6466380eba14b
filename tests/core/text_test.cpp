// UTF-8 cases are those of the Unicode Standard, chapter 3.9; hashes are the published vectors.

#include "core/text.h"

#include <catch2/catch.hpp>

namespace quiver {
namespace {

TEST_CASE("is_utf8: accepts what is well-formed", "[core]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("plain"));
  CHECK(is_utf8(
      "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

TEST_CASE("is_utf8: refuses overlong forms, surrogates, stray and missing bytes", "[core]") {
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "a\xFF"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("utf8_prefix: never cuts a character", "[core]") {
  const std::string euros = "\xE2\x82\xAC\xE2\x82\xAC";
  CHECK(utf8_prefix(euros, 6) == euros);
  CHECK(utf8_prefix(euros, 5) == euros.substr(0, 3));
  CHECK(utf8_prefix(euros, 3) == euros.substr(0, 3));
  CHECK(utf8_prefix(euros, 2).empty());
}

TEST_CASE("nearest_word: suggests a near word and nothing far", "[core]") {
  CHECK(nearest_word("docz", {"memory", "docs"}) == "docs");
  CHECK(nearest_word("limits", {"limit", "filter"}) == "limit");
  CHECK(nearest_word("zebra", {"memory", "docs"}).empty());
  CHECK(nearest_word("x", {}).empty());
}

TEST_CASE("stable_hash: is xxHash64 with seed 0", "[core]") {
  CHECK(stable_hash("") == 0xEF46DB3751D8E999ULL);
  CHECK(stable_hash("a") == 0xD24EC4F1A98C6E5BULL);
  CHECK(stable_hash("abc") == 0x44BC2CF5AD770999ULL);
}

}  // namespace
}  // namespace quiver
