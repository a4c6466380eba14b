#include "app/progress_line.h"

#include <algorithm>
#include <iostream>

namespace quiver::app {
namespace {

constexpr std::size_t kBarCells = 24;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{5};

}  // namespace

std::string progress_text(std::uint64_t done, std::uint64_t total, const ImportCounts& counts) {
  const double share =
      total == 0 ? 1.0 : static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  const auto cells = static_cast<std::size_t>(share * kBarCells);
  std::string percent = std::to_string(static_cast<int>(share * 100));
  percent.insert(0, 3 - std::min<std::size_t>(3, percent.size()), ' ');
  return "[" + std::string(cells, '#') + std::string(kBarCells - cells, '.') + "] " + percent +
         "%  " + std::to_string(counts.added) + " added, " + std::to_string(counts.replaced) +
         " replaced, " + std::to_string(counts.unchanged) + " unchanged, " +
         std::to_string(counts.removed) + " removed";
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total, const ImportCounts& counts) {
  const auto now = std::chrono::steady_clock::now();
  const bool is_last = done == total;
  if (is_terminal_) {
    if (!is_last && is_drawn_ && now - last_ < kRedraw) return;
    std::cerr << "\r" << progress_text(done, total, counts) << "\x1b[K" << std::flush;
    is_drawn_ = true;
  } else {
    if (now - last_ < kLine) return;
    std::cerr << "import " << progress_text(done, total, counts) << std::endl;
  }
  last_ = now;
}

void ProgressLine::finish() {
  if (is_drawn_) std::cerr << std::endl;
  is_drawn_ = false;
}

}  // namespace quiver::app
