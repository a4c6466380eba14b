#include "core/content_sums.h"

#include <string>
#include <string_view>
#include <variant>

#include "core/text.h"

namespace quiver {
namespace {

/// With its length, so that no two points are written alike.
void add(std::string& all, std::string_view part) {
  all += std::to_string(part.size()) + ' ';
  all += part;
}

}  // namespace

std::uint64_t content_hash(const Point& point) {
  std::string all = std::to_string(point.created_at_ms) + ' ' +
                    std::to_string(point.expires_at_ms) + (point.text ? " t " : " n ");
  add(all, point.id.key());
  add(all,
      {reinterpret_cast<const char*>(point.vector.data()), point.vector.size() * sizeof(float)});
  if (point.text) add(all, *point.text);
  add(all, point.payload.dump(-1, ' ', false, Json::error_handler_t::replace));
  return stable_hash(all);
}

std::size_t content_bucket(const PointId& id) {
  return stable_hash(id.key()) % kContentBuckets;
}

void add_touched(const Mutation& mutation, ContentBuckets& buckets) {
  if (const auto* const upsert = std::get_if<UpsertPoints>(&mutation)) {
    for (const auto& point : upsert->points) buckets.set(content_bucket(point.id));
    return;
  }
  const auto add = [&buckets](const std::vector<PointId>& ids) {
    for (const auto& id : ids) buckets.set(content_bucket(id));
  };
  if (const auto* const erase = std::get_if<ErasePoints>(&mutation)) return add(erase->ids);
  if (const auto* const expired = std::get_if<EraseExpired>(&mutation)) return add(expired->ids);
  add(std::get<UpdatePayload>(mutation).ids);
}

}  // namespace quiver
