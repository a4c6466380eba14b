// Documents cut by hand, and properties over random ones: no byte but white space is lost, no chunk
// is too large, no word is cut that fits.

#include "app/chunker.h"

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/text.h"

namespace quiver::app {
namespace {

std::vector<Chunk> markdown(const std::string& text, std::size_t bytes = 1200) {
  return chunk_document(text, {bytes, true});
}

std::vector<std::string> texts(const std::vector<Chunk>& chunks) {
  std::vector<std::string> out;
  for (const auto& chunk : chunks) out.push_back(chunk.text);
  return out;
}

using Texts = std::vector<std::string>;

TEST_CASE("chunker: a short document is one chunk", "[app][chunker]") {
  const auto chunks = chunk_document("First.\n\nSecond\r\nline.  \n", {});
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].text == "First.\n\nSecond\nline.");
  CHECK(chunks[0].heading.empty());
  CHECK(chunks[0].line == 1);
}

TEST_CASE("chunker: nothing makes nothing", "[app][chunker]") {
  CHECK(chunk_document("", {}).empty());
  CHECK(chunk_document(" \n\t\n\n", {}).empty());
  CHECK(markdown("\xEF\xBB\xBF").empty());
}

TEST_CASE("chunker: headings part chunks and name them", "[app][chunker]") {
  const auto chunks = markdown(
      "# Guide\n\nIntro.\n\n## Install ##\n\nRun it.\n\n### On C#\nUse mono.\n# End\nBye.\n");
  REQUIRE(chunks.size() == 4);
  CHECK(texts(chunks) == Texts{"# Guide\n\nIntro.", "## Install ##\n\nRun it.",
                               "### On C#\n\nUse mono.", "# End\n\nBye."});
  CHECK(chunks[0].heading == "Guide");
  CHECK(chunks[1].heading == "Guide > Install");
  CHECK(chunks[2].heading == "Guide > Install > On C#");
  CHECK(chunks[3].heading == "End");
  CHECK(chunks[0].line == 1);
  CHECK(chunks[1].line == 5);
  CHECK(chunks[2].line == 9);
  CHECK(chunks[3].line == 11);
}

TEST_CASE("chunker: headings with nothing under them go with what follows", "[app][chunker]") {
  const auto chunks = markdown("# A\n\n## B\n\nText.\n\n# C\n");
  CHECK(texts(chunks) == Texts{"# A\n\n## B\n\nText.", "# C"});
  CHECK(chunks[0].heading == "A > B");
  CHECK(chunks[0].line == 1);
}

TEST_CASE("chunker: what only looks like a heading is none", "[app][chunker]") {
  const auto chunks = markdown("#hashtag\n\n####### seven\n\n    # indented\n\ntext # here\n");
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].heading.empty());
  CHECK(chunk_document("# not in plain text\n", {})[0].heading.empty());
  CHECK(markdown("#\ntext\n")[0].heading.empty());  // An empty heading parts, but has no name.
}

TEST_CASE("chunker: a fenced block keeps its blank lines and its # lines", "[app][chunker]") {
  const auto chunks = markdown("# A\n\n```sh\n# comment\n\n~~~\n  run\n```\n\nAfter.\n\n# B\nb\n");
  CHECK(texts(chunks) == Texts{"# A\n\n```sh\n# comment\n\n~~~\n  run\n```\n\nAfter.", "# B\n\nb"});
  // One that is never closed lasts to the end.
  CHECK(markdown("````\n# x\n```\n# y\n").size() == 1);
}

TEST_CASE("chunker: paragraphs are joined while they fit", "[app][chunker]") {
  const std::string four(4, 'a');
  const std::string document = four + "\n\n" + four + "\n\n" + four + "\n";
  CHECK(texts(chunk_document(document, {10, false})) == Texts{"aaaa\n\naaaa", "aaaa"});
  CHECK(texts(chunk_document(document, {9, false})) == Texts{four, four, four});
  CHECK(texts(chunk_document(document, {16, false})) == Texts{"aaaa\n\naaaa\n\naaaa"});
  CHECK(chunk_document(document, {9, false})[2].line == 5);
}

TEST_CASE("chunker: a long paragraph is cut after a sentence, else at a line, else at a word",
          "[app][chunker]") {
  CHECK(texts(chunk_document("One two. Three four. Five six.", {22, false})) ==
        Texts{"One two. Three four.", "Five six."});
  CHECK(texts(chunk_document("one two\nthree four five", {14, false})) ==
        Texts{"one two", "three four", "five"});
  CHECK(texts(chunk_document("one two three four", {9, false})) ==
        Texts{"one two", "three", "four"});
  // "3.14" and "e.g" are no ends of sentences: no white space follows.
  CHECK(texts(chunk_document("pi is 3.14159 here", {11, false})) ==
        Texts{"pi is", "3.14159", "here"});
  CHECK(texts(chunk_document("abcdefghij", {4, false})) == Texts{"abcd", "efgh", "ij"});
  CHECK(texts(chunk_document("\xC3\xA4\xC3\xB6\xC3\xBC", {3, false})) ==
        Texts{"\xC3\xA4", "\xC3\xB6", "\xC3\xBC"});
}

TEST_CASE("chunker: pieces know their lines and keep the indentation of code", "[app][chunker]") {
  const auto chunks = chunk_document("x\n\nif a:\n  b()\n  c()\n", {11, false});
  CHECK(texts(chunks) == Texts{"x", "if a:\n  b()", "  c()"});
  CHECK(chunks[1].line == 3);
  CHECK(chunks[2].line == 5);
}

TEST_CASE("chunker: a heading goes with the first piece of a long text", "[app][chunker]") {
  const auto chunks = markdown("# Title\n\none two three four five six\n", 20);
  CHECK(texts(chunks) == Texts{"# Title\n\none two", "three four five six"});
  CHECK(chunks[1].heading == "Title");
  // A heading that leaves little room stands alone rather than cutting words.
  CHECK(texts(markdown("# A long title it is\n\nabcdefgh ij\n", 22)) ==
        Texts{"# A long title it is", "abcdefgh ij"});
  // So do headings that are too many for one chunk.
  for (const auto& chunk : markdown("# aaaa\n## bbbb\n## cccc\n## dddd\ntext\n", 16)) {
    CHECK(chunk.text.size() <= 16);
  }
}

std::string random_document(std::mt19937& random) {
  const std::vector<std::string> parts{"word",
                                       "longer-word",
                                       "\xC3\xA4rger",
                                       "\xE6\xBC\xA2\xE5\xAD\x97",
                                       ".",
                                       "! ",
                                       " ",
                                       " ",
                                       " ",
                                       "\n",
                                       "\n\n",
                                       "\n# Head\n",
                                       "\n## Sub\n\n",
                                       "\n```\ncode  here\n\n```\n",
                                       "\t",
                                       "\r\n"};
  std::string out;
  for (std::size_t i = 0; i < 400; ++i) out += parts[random() % parts.size()];
  return out;
}

std::string without_space(const std::string& text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [](char c) { return std::string(" \t\r\n\f\v").find(c) == std::string::npos; });
  return out;
}

TEST_CASE("chunker: loses nothing, keeps the bound, cuts no word that fits", "[app][chunker]") {
  const auto seed = GENERATE(range(1U, 40U));
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string document = random_document(random);
  const std::size_t bytes = 40 + random() % 200;
  const bool is_markdown = random() % 2 == 0;
  const auto chunks = chunk_document(document, {bytes, is_markdown});
  std::string joined;
  std::size_t last_line = 0;
  std::vector<std::string> words;
  std::istringstream stream(document);
  std::size_t longest = 0;
  for (std::string word; stream >> word;) {
    longest = std::max(longest, word.size());
    words.push_back(word);
  }
  std::vector<std::string> found;
  for (const auto& chunk : chunks) {
    CHECK(chunk.text.size() <= bytes);
    CHECK_FALSE(chunk.text.empty());
    CHECK(is_utf8(chunk.text));
    CHECK(chunk.line >= last_line);
    last_line = chunk.line;
    joined += chunk.text;
    std::istringstream piece(chunk.text);
    for (std::string word; piece >> word;) found.push_back(word);
  }
  CHECK(without_space(joined) == without_space(document));
  if (longest <= bytes / 2) CHECK(found == words);
}

}  // namespace
}  // namespace quiver::app
