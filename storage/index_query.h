#pragma once

#include <cstddef>
#include <span>

#include "core/call_context.h"
#include "core/result.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// Errors: InvalidArgument unless `vector` has `dim` finite components.
Status check_vector(std::span<const float> vector, std::size_t dim);

/// Errors: InvalidArgument unless the vector is as check_vector() says and k is at least 1.
Status check_query(const IndexQuery& query, std::size_t dim);

/// Vectors that may be looked at between two looks at the caller's deadline: well below a
/// millisecond of work for every dimension.
std::size_t vectors_per_check(std::size_t dim) noexcept;

}  // namespace quiver::storage
