#include "tests/bench/stdio_load.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace quiver::bench {
namespace {

std::string numbers(const float* vector, std::size_t dim) {
  std::string out = "[";
  for (std::size_t i = 0; i < dim; ++i) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), vector[i]).ptr;
    out.append(i == 0 ? "" : ",").append(text.data(), end);
  }
  return out + "]";
}

}  // namespace

std::vector<std::string> render_searches(const Target& target, const SearchOptions& options) {
  std::vector<std::string> lines;
  for (std::size_t q = 0; q < target.queries.rows; ++q) {
    const float* vector = target.queries.row(q);
    std::string arguments = R"({"collection":")" + target.collection + R"(","limit":10,"vector":)";
    arguments += options.plain_numbers ? numbers(vector, target.queries.dim)
                                       : '"' + packed(vector, target.queries.dim) + '"';
    if (options.ef > 0) arguments += R"(,"ef":)" + std::to_string(options.ef);
    if (!options.filter.empty()) arguments += R"(,"filter":)" + options.filter;
    lines.push_back(McpPipe::render("vector_search", arguments + "}", q));
  }
  return lines;
}

void Recall::add(std::size_t query, const std::vector<std::int32_t>& hits) {
  const auto first = answers_.begin() + static_cast<std::ptrdiff_t>(query * kHits);
  const auto last = std::find(first, first + kHits, kDeleted);
  expected_ += static_cast<std::size_t>(last - first);
  short_ += hits.size() < static_cast<std::size_t>(last - first) ? 1U : 0U;
  for (auto at = first; at != last; ++at) {
    found_ += std::find(hits.begin(), hits.end(), *at) != hits.end() ? 1U : 0U;
  }
}

LoadResult run_load(McpPipe& server, const std::vector<std::string>& lines,
                    const std::vector<std::int32_t>& answers, double seconds) {
  if (answers.size() != lines.size() * kHits) {
    throw std::runtime_error("there are not as many answers as queries");
  }
  Recall recall(answers);
  std::vector<std::int32_t> hits;
  std::size_t asked = 0;
  const double start = now_s();
  double now = start;
  do {
    for (std::size_t q = 0; q < lines.size(); ++q) {
      server.send(lines[q]);
      parse_hit_ids(server.receive(), hits);
      if (asked < lines.size()) recall.add(q, hits);
      ++asked;
    }
    now = now_s();
  } while (now - start < seconds);
  return {static_cast<double>(asked) / (now - start), recall.value(), recall.short_answers()};
}

}  // namespace quiver::bench
