#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quiver {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text) noexcept;

/// The longest prefix of at most `bytes` bytes that does not cut a UTF-8 sequence.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes) noexcept;

/// How text that a peer chose may appear in a message to it: quoted as JSON, at most 64 bytes of
/// it.
std::string shown_text(std::string_view text);

/// The candidate nearest to `word` by edit distance, for "did you mean"; empty if none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

/// A hash that is the same on every machine and in every version (xxHash64 with seed 0).
std::uint64_t stable_hash(std::string_view bytes) noexcept;

}  // namespace quiver
