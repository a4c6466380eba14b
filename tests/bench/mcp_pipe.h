#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "tests/bench/child.h"

namespace quiver::bench {

using Json = nlohmann::json;

/// An MCP server as a child process, spoken to over its standard streams. Throws runtime_error.
class McpPipe {
 public:
  /// Starts `binary mcp` on `data`; sends nothing yet.
  McpPipe(const std::string& binary, const std::string& data);
  explicit McpPipe(const Launch& launch);
  /// Kills it if it still runs.
  ~McpPipe();
  McpPipe(const McpPipe&) = delete;
  McpPipe& operator=(const McpPipe&) = delete;

  /// The handshake of 2025-11-25; returns when it is answered.
  void initialize();
  /// The stateless opening of 2026-07-28.
  void discover();

  /// `line` ends with a newline.
  void send(std::string_view line);
  /// The next answer, a line without its end; valid until the next call. Skips notifications.
  std::string_view receive();

  /// The structured content of a tool that must succeed.
  Json call(const std::string& tool, const Json& arguments);
  /// A complete line that calls the tool.
  static std::string render(const std::string& tool, const std::string& arguments, std::size_t id);

  /// Resident memory in MiB: "VmRSS" now, "VmHWM" at its highest.
  double memory_mib(const std::string& field) const;
  pid_t pid() const noexcept { return pid_; }

  /// Ends stdin, waits for the exit; seconds that took.
  double close();
  /// kill -9; returns when it is gone.
  void kill();

 private:
  std::string_view next_line();

  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::vector<char> buffer_;
  /// What of the buffer has been read from the server, but for the lines that are given away.
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t next_id_ = 1;
};

/// Ids of the hits in a reply of vector_search, in order, into `out`; how many there are.
std::size_t parse_hit_ids(std::string_view reply, std::vector<std::int32_t>& out);

/// base64 of the little-endian float32 of `vector`.
std::string packed(const float* vector, std::size_t dim);

}  // namespace quiver::bench
