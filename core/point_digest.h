#pragma once

#include <cstdint>

#include "core/point.h"

namespace quiver {

/// What is stored of a point but for its vector, as one number: another text, payload or time gives
/// another. The same on every machine.
using PointDigest = std::uint64_t;

/// Of a point that was read with text and payload.
PointDigest digest_of(const Point& point);

}  // namespace quiver
