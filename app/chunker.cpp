#include "app/chunker.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/text.h"

namespace quiver::app {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";
constexpr std::string_view kSpace = " \t\r\n\f\v";
constexpr std::size_t kHeadingLevels = 6;
/// Of one heading as metadata; its line stays whole in the text.
constexpr std::size_t kHeadingBytesMax = 200;
constexpr std::string_view kParagraphBreak = "\n\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view trim(std::string_view text, std::string_view characters) {
  const auto first = text.find_first_not_of(characters);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(characters) - first + 1);
}

std::string_view trim_end(std::string_view text) {
  const auto last = text.find_last_not_of(kSpace);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// Level of an ATX heading, 0 if the line is none. Source: CommonMark 0.30, section 4.2.
std::size_t heading_level(std::string_view line) {
  const auto indent = std::min(line.find_first_not_of(' '), line.size());
  if (indent > 3) return 0;
  line.remove_prefix(indent);
  const auto level = std::min(line.find_first_not_of('#'), line.size());
  if (level == 0 || level > kHeadingLevels) return 0;
  const bool ends_there = level == line.size() || kBlank.find(line[level]) != kBlank.npos;
  return ends_there ? level : 0;
}

/// Without the marks: a closing run of # counts only after a blank, so that "C#" stays.
std::string heading_text(std::string_view line) {
  std::string_view text = trim(line, kBlank);
  text = trim(text.substr(std::min(text.find_first_not_of('#'), text.size())), kBlank);
  const auto last = text.find_last_not_of('#');
  if (last == std::string_view::npos) return "";
  if (kBlank.find(text[last]) != kBlank.npos) text = trim(text.substr(0, last), kBlank);
  return std::string(utf8_prefix(text, kHeadingBytesMax));
}

/// The run of ` or ~ that opens or closes a fenced code block, empty if the line has none.
std::string_view fence_of(std::string_view line) {
  const auto indent = std::min(line.find_first_not_of(' '), line.size());
  if (indent > 3 || indent == line.size()) return {};
  line.remove_prefix(indent);
  if (line.front() != '`' && line.front() != '~') return {};
  const auto length = std::min(line.find_first_not_of(line.front()), line.size());
  return length >= 3 ? line.substr(0, length) : std::string_view{};
}

bool is_space(char c) {
  return kSpace.find(c) != kSpace.npos;
}

/// Where to cut `text`, which is longer than `bytes`, so that the front has 1 to `bytes` bytes.
std::size_t cut_position(std::string_view text, std::size_t bytes) {
  // A tiny front would only make more chunks.
  const std::size_t least = bytes / 4;
  for (std::size_t i = bytes; i > least; --i) {
    const char last = text[i - 1];
    if (is_space(text[i]) && (last == '.' || last == '!' || last == '?')) return i;
  }
  for (std::size_t i = bytes; i > least; --i) {
    if (text[i] == '\n') return i;
  }
  for (std::size_t i = bytes; i > 0; --i) {
    if (is_space(text[i])) return i;
  }
  const std::size_t cut = utf8_prefix(text, bytes).size();
  return cut > 0 ? cut : bytes;
}

class Chunker {
 public:
  explicit Chunker(const ChunkerOptions& options) : options_(options) {}

  std::vector<Chunk> run(std::string_view document) {
    if (document.rfind(kByteOrderMark, 0) == 0) document.remove_prefix(kByteOrderMark.size());
    std::size_t number = 0;
    for (std::size_t start = 0; start < document.size();) {
      const std::size_t end = std::min(document.find('\n', start), document.size());
      take_line(document.substr(start, end - start), ++number);
      start = end + 1;
    }
    end_paragraph();
    end_chunk();
    return std::move(chunks_);
  }

 private:
  void take_line(std::string_view line, std::size_t number) {
    line = trim_end(line);
    if (options_.is_markdown) {
      const std::string_view fence = fence_of(line);
      const bool opens = fence_.empty() && !fence.empty();
      const bool closes = !fence_.empty() && fence.size() >= fence_.size() &&
                          fence.front() == fence_.front() && trim(line, kBlank) == fence;
      if (opens) fence_ = fence;
      if (fence_.empty() && heading_level(line) > 0) return take_heading(line, number);
      add_to_paragraph(line, number);
      if (closes) fence_.clear();
      return;
    }
    add_to_paragraph(line, number);
  }

  void add_to_paragraph(std::string_view line, std::size_t number) {
    if (line.empty() && fence_.empty()) return end_paragraph();
    if (paragraph_.empty()) {
      if (line.empty()) return;
      paragraph_line_ = number;
    } else {
      paragraph_ += '\n';
    }
    paragraph_ += line;
  }

  void take_heading(std::string_view line, std::size_t number) {
    end_paragraph();
    if (has_body_) end_chunk();
    const std::size_t level = heading_level(line);
    headings_[level - 1] = heading_text(line);
    std::fill(headings_.begin() + static_cast<std::ptrdiff_t>(level), headings_.end(), "");
    add(line, number);
  }

  void end_paragraph() {
    const std::string text = std::exchange(paragraph_, "");
    const std::string_view whole = trim_end(text);
    if (whole.empty()) return;
    if (has_body_ && whole.size() > room()) end_chunk();
    add(whole, paragraph_line_);
    has_body_ = true;
  }

  /// What the chunk can still take.
  std::size_t room() const {
    const std::size_t taken = chunk_.empty() ? 0 : chunk_.size() + kParagraphBreak.size();
    return options_.chunk_bytes - std::min(taken, options_.chunk_bytes);
  }

  /// Adds text that begins in `line`, in as many chunks as it needs.
  void add(std::string_view text, std::size_t line) {
    // Headings stay with the first piece of a text that has to be cut, unless they leave little.
    if (text.size() > room() && room() < options_.chunk_bytes / 2) end_chunk();
    while (text.size() > room()) {
      const std::size_t cut = cut_position(text, room());
      append(trim_end(text.substr(0, cut)), line);
      end_chunk();
      const std::size_t next = next_piece(text, cut);
      line += static_cast<std::size_t>(
          std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(next), '\n'));
      text.remove_prefix(next);
    }
    append(text, line);
  }

  /// Where the text goes on behind the white space at `cut`. The indentation of a line is kept.
  static std::size_t next_piece(std::string_view text, std::size_t cut) {
    const std::size_t word = std::min(text.find_first_not_of(kSpace, cut), text.size());
    const auto line_end = text.substr(cut, word - cut).rfind('\n');
    return line_end == std::string_view::npos ? word : cut + line_end + 1;
  }

  void append(std::string_view text, std::size_t line) {
    if (text.empty()) return;
    if (chunk_.empty()) {
      chunk_line_ = line;
    } else {
      chunk_ += kParagraphBreak;
    }
    chunk_ += text;
    chunk_heading_ = joined_headings();
  }

  void end_chunk() {
    if (!chunk_.empty()) chunks_.push_back({std::move(chunk_), chunk_heading_, chunk_line_});
    chunk_.clear();
    has_body_ = false;
  }

  std::string joined_headings() const {
    std::string out;
    for (const auto& heading : headings_) {
      if (!heading.empty()) out += (out.empty() ? "" : " > ") + heading;
    }
    return out;
  }

  const ChunkerOptions options_;
  std::vector<Chunk> chunks_;
  std::array<std::string, kHeadingLevels> headings_;
  /// What opened the code block that the line is in; empty outside.
  std::string fence_;
  std::string paragraph_;
  std::size_t paragraph_line_ = 1;
  std::string chunk_;
  std::string chunk_heading_;
  std::size_t chunk_line_ = 1;
  /// The chunk has more than headings.
  bool has_body_ = false;
};

}  // namespace

std::vector<Chunk> chunk_document(std::string_view document, const ChunkerOptions& options) {
  return Chunker(options).run(document);
}

}  // namespace quiver::app
