#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/dataset.h"
#include "tests/bench/mcp_pipe.h"

namespace quiver::bench {

inline constexpr std::size_t kHits = 10;

/// A collection on a server, and the queries that are put to it.
struct Target {
  std::string collection;
  Matrix queries;
};

struct SearchOptions {
  /// 0: what the server takes by default.
  std::size_t ef = 0;
  /// JSON; empty: none.
  std::string filter;
  /// Components as decimal numbers instead of base64.
  bool plain_numbers = false;
};

/// One complete line for each query, so that rendering is not measured.
std::vector<std::string> render_searches(const Target& target, const SearchOptions& options);

/// Share of `answers` (shape [queries, kHits], padded with kDeleted) that the hits contain.
class Recall {
 public:
  explicit Recall(const std::vector<std::int32_t>& answers) : answers_(answers) {}

  void add(std::size_t query, const std::vector<std::int32_t>& hits);
  double value() const { return expected_ == 0 ? 1 : double(found_) / double(expected_); }
  /// Queries that got fewer hits than there were to find.
  std::size_t short_answers() const noexcept { return short_; }

 private:
  const std::vector<std::int32_t>& answers_;
  std::size_t found_ = 0;
  std::size_t expected_ = 0;
  std::size_t short_ = 0;
};

struct LoadResult {
  double queries_per_s = 0;
  double recall = 0;
  std::size_t short_answers = 0;
};

/// One client that puts all queries one after the other, and again until `seconds` are over.
LoadResult run_load(McpPipe& server, const std::vector<std::string>& lines,
                    const std::vector<std::int32_t>& answers, double seconds);

}  // namespace quiver::bench
