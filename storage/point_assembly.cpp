#include "storage/point_assembly.h"

#include <utility>

namespace quiver::storage {
namespace {

Error incomplete(const PointId& id, const char* part) {
  return {ErrorCode::Corruption, "point " + id.display() + " has no stored " + part};
}

std::vector<Slot> slots_of(std::span<const FoundPoint> found) {
  std::vector<Slot> slots;
  slots.reserve(found.size());
  for (const auto& point : found) slots.push_back(point.slot);
  return slots;
}

}  // namespace

Result<std::vector<std::optional<Point>>> assemble(const PointStore::View& view,
                                                   std::span<const FoundPoint> found,
                                                   const Projection& projection,
                                                   const std::optional<Filter>& filter) {
  const auto slots = slots_of(found);
  const bool wants_payload = projection.payload || projection.text || filter;
  std::vector<std::optional<PayloadRecord>> payloads(found.size());
  if (wants_payload) {
    QV_TRY(payloads, view.payloads(slots));
  }
  std::vector<std::optional<std::vector<float>>> vectors(found.size());
  if (projection.vector) {
    QV_TRY(vectors, view.vectors(slots));
  }
  std::vector<std::optional<Point>> out(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (wants_payload && !payloads[i]) return incomplete(found[i].id, "payload");
    if (projection.vector && !vectors[i]) return incomplete(found[i].id, "vector");
    if (filter && !filter->matches(payloads[i]->payload)) continue;
    Point& point = out[i].emplace();
    point.id = found[i].id;
    point.created_at_ms = found[i].created_at_ms;
    point.expires_at_ms = found[i].expires_at_ms;
    if (projection.payload) point.payload = std::move(payloads[i]->payload);
    if (projection.text) point.text = std::move(payloads[i]->text);
    if (projection.vector) point.vector = std::move(*vectors[i]);
  }
  return out;
}

}  // namespace quiver::storage
