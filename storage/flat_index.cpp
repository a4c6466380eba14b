#include "storage/flat_index.h"

#include "storage/index_query.h"
#include "storage/vector_heap.h"

namespace quiver::storage {

FlatIndex::FlatIndex(std::size_t dim, Metric metric)
    : dim_(dim), metric_(metric), distance_(distance_function(metric)), vectors_(dim) {}

Status FlatIndex::insert(Slot slot, std::span<const float> vector) {
  QV_CHECK(check_vector(vector, dim_));
  return vectors_.append(slot, vector);
}

Status FlatIndex::remove(Slot slot) {
  vectors_.erase(slot);
  return Done{};
}

Result<std::vector<Neighbor>> FlatIndex::search(const CallContext& call,
                                                const IndexQuery& query) const {
  return scan(call, query);
}

Result<std::vector<Neighbor>> FlatIndex::scan(const CallContext& call,
                                              const IndexQuery& query) const {
  QV_CHECK(check_query(query, dim_));
  const auto look = [&](std::size_t k, float farthest) -> Result<std::vector<Neighbor>> {
    NearestHeap nearest(k, farthest);
    QV_CHECK(vectors_.scan(call, query, distance_, nearest));
    return nearest.take_sorted();
  };
  return look_for_nearest(metric_, query, look);
}

}  // namespace quiver::storage
