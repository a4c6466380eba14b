#include "storage/index_query.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quiver::storage {

Status check_vector(std::span<const float> vector, std::size_t dim) {
  if (vector.size() != dim) {
    return Error{ErrorCode::InvalidArgument, "vector has " + std::to_string(vector.size()) +
                                                 " components; this collection takes " +
                                                 std::to_string(dim)};
  }
  // NaN would break the order that heaps and sorting rely on.
  const bool finite =
      std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
  if (!finite) {
    return Error{ErrorCode::InvalidArgument, "vector: every component must be a finite number"};
  }
  return Done{};
}

Status check_query(const IndexQuery& query, std::size_t dim) {
  if (query.k == 0) return Error{ErrorCode::InvalidArgument, "k: must be at least 1, got 0"};
  return check_vector(query.vector, dim);
}

std::size_t vectors_per_check(std::size_t dim) noexcept {
  constexpr std::size_t kFloatsPerCheck = std::size_t{1} << 18;
  return std::clamp<std::size_t>(kFloatsPerCheck / std::max<std::size_t>(dim, 1), 16, 4096);
}

}  // namespace quiver::storage
