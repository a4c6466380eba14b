#include "service/operations/memory_get.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/text.h"

namespace quiver::service {

namespace {

Result<std::map<PointId, Point>> read_points(const CallContext& call, Engine& engine,
                                             const MemoryGetRequest& request,
                                             const std::vector<PointId>& ids) {
  std::map<PointId, Point> found;
  QV_TRY(const auto collection, find_memories(engine, request.collection));
  if (!collection) return found;
  QV_TRY(auto points, collection->get(call, ids, Projection{true, true, false}));
  for (auto& point : points) {
    auto id = point.id;
    found.emplace(std::move(id), std::move(point));
  }
  return found;
}

/// What the reader has seen before `text_offset` is left out.
Result<Item> item_from(Point point, const MemoryGetRequest& request) {
  constexpr std::size_t kWhole = limits::kPayloadBytesMax;
  const bool detailed = request.response_format == ResponseFormat::Detailed;
  const std::size_t offset = request.text_offset.value_or(0);
  if (offset == 0) return make_item(std::move(point), {kWhole, true, detailed, false});
  const std::string text = std::move(point.text).value_or("");
  if (offset >= text.size()) {
    return Error{ErrorCode::InvalidArgument, "text_offset: the text ends at " +
                                                 std::to_string(text.size()) + ", got " +
                                                 std::to_string(offset)};
  }
  if (utf8_prefix(text, offset).size() != offset) {
    return Error{ErrorCode::InvalidArgument,
                 "text_offset: lies within a character; give the next_offset of a reply"};
  }
  point.text = text.substr(offset);
  Item item = make_item(std::move(point), {kWhole, false, false, false});
  item.text_offset = offset;
  return item;
}

}  // namespace

void MemoryGetRequest::check(const Path& path, Problems& problems) const {
  if (text_offset.value_or(0) == 0 || ids.size() == 1) return;
  problems.add(Path(path, "text_offset"),
               "needs exactly one id, got " + std::to_string(ids.size()));
}

Result<MemoryGetResponse> memory_get(const CallContext& call, Engine& engine,
                                     const MemoryGetRequest& request) {
  const CallContext reading = at_level(call, request.consistency);
  std::vector<PointId> ids;
  std::set<PointId> asked;
  for (const auto& id : request.ids) {
    if (asked.insert(id).second) ids.push_back(id);
  }
  QV_TRY(auto found, read_points(reading, engine, request, ids));
  // Each id may have to be named as missing or not returned.
  const std::size_t names = compact(encode(ids)).size();
  TokenBudget budget(
      estimated_tokens(engine.reply_bytes - std::min(names, engine.reply_bytes / 2)));
  std::vector<PointId> missing;
  std::vector<PointId> not_returned;
  MemoryGetResponse response;
  for (const auto& id : ids) {
    const auto at = found.find(id);
    if (at == found.end()) {
      missing.push_back(id);
      continue;
    }
    const std::size_t whole = at->second.text ? at->second.text->size() : 0;
    QV_TRY(Item item, item_from(std::move(at->second), request));
    if (!budget.admit(item)) {
      not_returned.push_back(id);
      continue;
    }
    if (item.text_truncated) item.text_bytes = whole;
    response.items.push_back(std::move(item));
  }
  if (!missing.empty()) response.missing = std::move(missing);
  if (!not_returned.empty()) {
    response.advice = "showing " + std::to_string(response.items.size()) + " of " +
                      std::to_string(found.size()) + ": ask for not_returned in further calls";
    response.not_returned = std::move(not_returned);
  }
  return response;
}

Operation memory_get_operation() {
  return operation(
      About{"memory_get", "Get memories by id",
            "Read full text and metadata of known ids. A text too long for one reply comes in "
            "pieces: read on with text_offset.",
            Toolset::Memory, Access::Read, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/memories/get"}},
      &memory_get);
}

}  // namespace quiver::service
