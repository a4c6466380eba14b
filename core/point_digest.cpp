#include "core/point_digest.h"

#include <string>

#include "core/text.h"

namespace quiver {

PointDigest digest_of(const Point& point) {
  // What ends in front of the text has no blank in it, and the length says where the text ends.
  std::string all = std::to_string(point.created_at_ms) + ' ' +
                    std::to_string(point.expires_at_ms) + ' ' +
                    (point.text ? std::to_string(point.text->size()) : "none") + ' ';
  if (point.text) all += *point.text;
  all += point.payload.dump(-1, ' ', false, Json::error_handler_t::replace);
  return stable_hash(all);
}

}  // namespace quiver
