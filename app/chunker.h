#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quiver::app {

/// A piece of a document that is stored, embedded and found as one.
struct Chunk {
  std::string text;
  /// Headings above it, outermost first, joined by " > "; empty if there are none.
  std::string heading;
  /// Of its first line, from 1.
  std::size_t line = 1;
};

struct ChunkerOptions {
  /// Size that paragraphs are joined up to, and that longer ones are cut down to. At 1,200 bytes of
  /// English a chunk has about 250 tokens, one window of the built-in model.
  std::size_t chunk_bytes = 1200;
  /// Whether lines that begin with 1 to 6 # are headings.
  bool is_markdown = false;
};

/// Cuts a document (UTF-8, any line ends) into chunks of at most `chunk_bytes`.
///
/// A chunk never spans a heading, but for headings with nothing under them, which go with the text
/// that follows. Whole paragraphs are joined while they fit; a longer one is cut at the end of a
/// sentence, else between words, else, in a word longer than a chunk, between characters. Blank
/// lines part paragraphs, except within a fenced code block. The order of the chunks is that of the
/// document, and nothing but white space is left out.
std::vector<Chunk> chunk_document(std::string_view document, const ChunkerOptions& options);

}  // namespace quiver::app
