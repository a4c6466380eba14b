#pragma once

#include <cstddef>

#include "core/collection_spec.h"
#include "storage/vector_chunks.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// An index without a structure: search() is scan(). The measure of every other index.
///
/// Threads: as VectorIndex; searches take no lock while they look at vectors.
class FlatIndex final : public VectorIndex {
 public:
  FlatIndex(std::size_t dim, Metric metric);

  /// Errors: InvalidArgument also if a component is not finite or `slot` is here already.
  Status insert(Slot slot, std::span<const float> vector) override;
  Status remove(Slot slot) override;
  Result<std::vector<Neighbor>> search(const CallContext& call,
                                       const IndexQuery& query) const override;
  Result<std::vector<Neighbor>> scan(const CallContext& call,
                                     const IndexQuery& query) const override;
  std::size_t dim() const noexcept override { return dim_; }
  std::size_t size() const noexcept override { return vectors_.size(); }

 private:
  const std::size_t dim_;
  const Metric metric_;
  const DistanceFunction distance_;
  VectorChunks vectors_;
};

}  // namespace quiver::storage
