#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/result.h"

namespace quiver::app {

/// One line of a JSONL file: a text to embed, or a point with its vector.
struct JsonlRecord {
  /// With the keys id, text, vector, metadata, as operations take them.
  Json point;
  std::size_t line = 0;
  std::size_t bytes = 0;

  bool has_vector() const { return point.contains("vector"); }
};

/// Reads a file of JSON objects, one a line. Blank lines are skipped.
class JsonlReader {
 public:
  explicit JsonlReader(std::filesystem::path file);

  /// nullopt: the end. After an error reading may go on with the next line.
  ///
  /// Errors: InvalidArgument naming file, line and what is wrong: not JSON, another key than id,
  /// text, vector and metadata, a value of the wrong kind or beyond its bounds, neither text nor
  /// vector, a vector without id.
  Result<std::optional<JsonlRecord>> next();

  /// False: the file cannot be read.
  bool is_open() const { return stream_.is_open(); }

 private:
  /// False: the end. `is_whole` is false for a line that is too long, which is skipped.
  bool read_line(bool& is_whole);
  Error wrong(const std::string& problem) const;

  const std::filesystem::path file_;
  std::ifstream stream_;
  std::string line_;
  std::size_t number_ = 0;
};

}  // namespace quiver::app
