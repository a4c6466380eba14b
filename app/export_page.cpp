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

}  // namespace

Result<ExportPageResponse> export_page(const CallContext& call, service::Engine& engine,
                                       const ExportPageRequest& request) {
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  QV_TRY(auto page, collection->scroll(call, std::nullopt, request.after, kPointsMax,
                                       Projection{true, true, request.vectors}));
  ExportPageResponse response;
  response.next = page.next;
  std::size_t bytes = 0;
  for (auto& point : page.points) {
    bytes += weight(point);
    if (bytes > kPageBytesMax && !response.points.empty()) {
      response.next = response.points.back().id;
      break;
    }
    ExportedPoint out;
    out.id = point.id;
    out.text = std::move(point.text);
    if (!point.payload.empty()) out.metadata = service::Metadata{std::move(point.payload)};
    if (request.vectors) out.vector = service::VectorValue{std::move(point.vector)};
    if (point.expires_at_ms != 0) ++response.expiring;
    response.points.push_back(std::move(out));
  }
  return response;
}

service::Operation export_page_operation() {
  return service::operation(
      service::About{"export_page", "Export points", "Points whole, for a backup.",
                     service::Toolset::Vector, service::Access::Read, service::Effects{false, true},
                     service::Route{"POST", "/v1/collections/{collection}/export"}},
      &export_page);
}

}  // namespace quiver::app
