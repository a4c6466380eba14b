#include "cluster/merge.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quiver::cluster {
namespace {

template <typename T, typename Before>
std::vector<T> first_of(std::vector<std::vector<T>> parts, std::size_t count, Before before) {
  if (parts.size() == 1 && parts.front().size() <= count) return std::move(parts.front());
  std::vector<T> all;
  for (auto& part : parts) {
    all.insert(all.end(), std::make_move_iterator(part.begin()),
               std::make_move_iterator(part.end()));
  }
  std::stable_sort(all.begin(), all.end(), before);
  if (all.size() > count) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(count), all.end());
  }
  return all;
}

}  // namespace

std::vector<ScoredPoint> merge_hits(std::vector<std::vector<ScoredPoint>> answers, std::size_t k) {
  return first_of(std::move(answers), k, [](const ScoredPoint& a, const ScoredPoint& b) {
    return a.score != b.score ? a.score > b.score : a.point.id < b.point.id;
  });
}

std::vector<Point> merge_pages(std::vector<std::vector<Point>> pages, std::size_t limit) {
  return first_of(std::move(pages), limit,
                  [](const Point& a, const Point& b) { return a.id < b.id; });
}

}  // namespace quiver::cluster
