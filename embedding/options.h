#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace quiver::embedding {

/// How a node turns text into vectors. Immutable after start.
struct Options {
  /// Directory of the built-in model's files; empty: models/minilm beside the program.
  std::string model_dir;
  /// Provider that a new collection gets when the request names none.
  std::string default_provider = "minilm";
  /// Threads that one batch is spread over; 0: one for each processor.
  std::uint32_t threads = 0;
  /// Memory for vectors of texts seen before, bytes; 0: none.
  std::size_t cache_bytes = std::size_t{32} << 20;
};

}  // namespace quiver::embedding
