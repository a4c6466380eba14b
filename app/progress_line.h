#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "app/importer.h"

namespace quiver::app {

/// Shows on stderr how far an import is: a bar that redraws itself on a terminal, else a line every
/// few seconds.
class ProgressLine {
 public:
  explicit ProgressLine(bool is_terminal) : is_terminal_(is_terminal) {}

  void show(std::uint64_t done, std::uint64_t total, const ImportCounts& counts);
  /// Leaves the last state and ends the line.
  void finish();

 private:
  const bool is_terminal_;
  bool is_drawn_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// `[#####.....]  50%  120 added, 3 replaced, 7 unchanged, 0 removed`
std::string progress_text(std::uint64_t done, std::uint64_t total, const ImportCounts& counts);

}  // namespace quiver::app
