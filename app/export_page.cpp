#include "app/export_page.h"

#include <utility>

namespace quiver::app {
namespace {

/// With payloads and vectors of the largest size still well within a frame.
constexpr std::size_t kPointsMax = 40;
constexpr std::size_t kPageBytesMax = std::size_t{8} << 20;
/// A float as decimal digits and a comma.
constexpr std::size_t kFloatBytes = 14;

std::size_t weight(const Point& point) {
  const std::size_t text = point.text ? point.text->size() : 0;
  return text + point.payload.dump().size() + point.vector.size() * kFloatBytes;
}

ExportedPoint exported(Point point, bool with_vector) {
  ExportedPoint out;
  out.id = std::move(point.id);
  out.text = std::move(point.text);
  if (!point.payload.empty()) out.metadata = service::Metadata{std::move(point.payload)};
  if (with_vector) out.vector = service::VectorValue{std::move(point.vector)};
  return out;
}

}  // namespace

Result<ExportPageResponse> export_page(const CallContext& call, service::Engine& engine,
                                       const ExportPageRequest& request) {
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  const Projection wanted{true, true, request.vectors};
  cluster::ScrollPage page;
  if (request.ids) {
    QV_TRY(page.points, collection->get(call, *request.ids, wanted));
  } else {
    QV_TRY(page, collection->scroll(call, std::nullopt, request.after, kPointsMax, wanted));
  }
  ExportPageResponse response;
  response.next = page.next;
  std::size_t bytes = 0;
  std::vector<PointId> left;
  for (auto& point : page.points) {
    bytes += weight(point);
    if (bytes > kPageBytesMax && !response.points.empty()) {
      left.push_back(std::move(point.id));
      continue;
    }
    if (point.expires_at_ms != 0) ++response.expiring;
    response.points.push_back(exported(std::move(point), request.vectors));
  }
  if (left.empty()) return response;
  if (request.ids) {
    response.not_returned = std::move(left);
  } else {
    response.next = response.points.back().id;
  }
  return response;
}

service::Operation export_page_operation() {
  return service::operation(
      service::About{"export_page", "Export points", "Points whole, for a backup.",
                     service::Toolset::Vector, service::Access::Read, service::Effects{false, true},
                     service::Route{}, false},
      &export_page);
}

}  // namespace quiver::app
