#include "service/operations/memory_get.h"

#include <map>
#include <set>
#include <string>
#include <utility>

namespace quiver::service {

Result<MemoryGetResponse> memory_get(const CallContext& call, Engine& engine,
                                     const MemoryGetRequest& request) {
  QV_TRY(const auto collection, find_memories(engine, request.collection));
  std::vector<PointId> ids;
  std::set<PointId> asked;
  for (const auto& id : request.ids) {
    if (asked.insert(id).second) ids.push_back(id);
  }
  std::map<PointId, Point> found;
  if (collection) {
    QV_TRY(auto points, collection->get(call, ids, Projection{true, true, false}));
    for (auto& point : points) {
      auto id = point.id;
      found.emplace(std::move(id), std::move(point));
    }
  }

  constexpr std::size_t kWhole = limits::kPayloadBytesMax;
  MemoryGetResponse response;
  std::size_t tokens = 0;
  for (const auto& id : ids) {
    const auto at = found.find(id);
    if (at == found.end()) {
      response.missing.push_back(id);
      continue;
    }
    Item item = make_item(std::move(at->second), {kWhole, true, true, false});
    tokens += item_tokens(item);
    if (tokens <= kReplyTokensMax || response.items.empty()) {
      response.items.push_back(std::move(item));
    } else {
      if (!response.not_returned) response.not_returned.emplace();
      response.not_returned->push_back(id);
    }
  }
  return response;
}

Operation memory_get_operation() {
  return operation(
      About{"memory_get", "Get memories by id", "Read full text and metadata of known ids.",
            Toolset::Memory, Access::Read, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/memories/get"}},
      &memory_get);
}

}  // namespace quiver::service
