#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/json.h"

namespace quiver {

/// What a client stores: a vector, what it stands for, and what is known about it.
struct Point {
  PointId id;
  /// Shape [dimension]; finite; not all zero under cosine.
  std::vector<float> vector;
  /// Metadata: a JSON object; what filters look at. Never null.
  Json payload = Json::object();
  /// The text that the vector was made from, if it was made from text.
  std::optional<std::string> text;
  /// Unix milliseconds, UTC. Set by the node that accepts the write.
  std::int64_t created_at_ms = 0;
  /// Unix milliseconds, UTC, from which on the point is gone; 0 means never.
  std::int64_t expires_at_ms = 0;
};

/// Which parts of a point a reader wants. The id and the times always come.
struct Projection {
  bool payload = true;
  bool text = true;
  bool vector = false;
};

/// A point and how near it lies: higher is nearer for every metric (see Metric).
struct ScoredPoint {
  Point point;
  float score = 0.0F;
};

}  // namespace quiver
