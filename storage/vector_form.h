#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/collection_spec.h"
#include "core/mutation.h"
#include "core/result.h"

namespace quiver::storage {

/// Longest vector: a product of two of them, and their squared distance, are still floats.
inline constexpr double kVectorLengthMax = 1e18;

/// The form in which an index takes a vector: of unit length under cosine, else as it is.
///
/// Errors: InvalidArgument unless it has `dim` finite components, is at most kVectorLengthMax long
/// and, under cosine, not zero.
Result<std::vector<float>> index_form(Metric metric, std::size_t dim,
                                      std::span<const float> vector);

/// Whether a shard of this collection can store the mutation.
///
/// Errors: InvalidArgument naming the point: for vectors as index_form(), for a payload that is no
/// object, for text that is not UTF-8.
Status check_mutation(const CollectionSpec& spec, const Mutation& mutation);

}  // namespace quiver::storage
