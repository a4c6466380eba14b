#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/filter.h"
#include "core/point.h"
#include "core/result.h"
#include "storage/point_store.h"

namespace quiver::storage {

/// A point that a reader has found, and where the rest of it lies.
struct FoundPoint {
  Slot slot{0};
  PointId id;
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;
};

constexpr bool is_expired(std::int64_t expires_at_ms, std::int64_t now_ms) noexcept {
  return expires_at_ms != 0 && expires_at_ms <= now_ms;
}

/// Reads what `projection` asks of points that `view` has; absent where `filter` does not match.
///
/// Errors: Corruption for a point without payload or vector; those of the point store.
Result<std::vector<std::optional<Point>>> assemble(const PointStore::View& view,
                                                   std::span<const FoundPoint> found,
                                                   const Projection& projection,
                                                   const std::optional<Filter>& filter);

}  // namespace quiver::storage
