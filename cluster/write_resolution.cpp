#include "cluster/write_resolution.h"

#include <algorithm>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "core/payload.h"

namespace quiver::cluster {
namespace {

// Points that are read at once to see what an update makes of them: up to a megabyte each.
constexpr std::size_t kUpdatesPerRead = 64;
// Ids of one log entry of an erasure by filter: what it matches knows no bound, an entry does.
constexpr std::size_t kErasePartBytes = std::size_t{4} << 20;

std::vector<ErasePoints> in_parts(std::vector<PointId> ids) {
  std::vector<ErasePoints> parts(1);
  std::uint64_t before = 0;
  std::size_t bytes = 0;
  for (auto& id : ids) {
    const std::size_t more = id.key().size() + sizeof(std::uint16_t);
    if (bytes + more > kErasePartBytes) {
      before += parts.back().ids.size();
      parts.push_back({{}, before});
      bytes = 0;
    }
    bytes += more;
    parts.back().ids.push_back(std::move(id));
  }
  return parts;
}

}  // namespace

const UpdatePayload* update_of(const WriteRequest& request) {
  const auto* mutation = std::get_if<Mutation>(&request);
  return mutation == nullptr ? nullptr : std::get_if<UpdatePayload>(mutation);
}

Status check_update(const storage::Shard& shard, const UpdatePayload& update) {
  const Projection wanted{.payload = true, .text = true, .vector = false};
  const std::span<const PointId> ids(update.ids);
  for (std::size_t start = 0; start < ids.size(); start += kUpdatesPerRead) {
    const auto part = ids.subspan(start, std::min(kUpdatesPerRead, ids.size() - start));
    QV_TRY(const auto points, shard.get(part, wanted));
    for (const auto& point : points) {
      QV_CHECK(check_payload(updated_payload(point.payload, update),
                             point.text ? point.text->size() : 0,
                             "point " + point.id.display() + " after the update"));
    }
  }
  return Done{};
}

Result<bool> holds(const storage::Shard& shard, const std::vector<Expectation>& expected) {
  std::vector<PointId> ids;
  ids.reserve(expected.size());
  for (const auto& expectation : expected) ids.push_back(expectation.id);
  const Projection wanted{.payload = true, .text = true, .vector = false};
  QV_TRY(const auto points, shard.get(ids, wanted));
  std::map<PointId, PointDigest> there;
  for (const auto& point : points) there.emplace(point.id, digest_of(point));
  return std::all_of(expected.begin(), expected.end(), [&](const Expectation& expectation) {
    const auto found = there.find(expectation.id);
    return found == there.end() ? !expectation.digest : expectation.digest == found->second;
  });
}

Result<std::vector<ErasePoints>> erasures(const storage::Shard& shard, const Filter& filter) {
  QV_TRY(auto ids,
         shard.ids_matching(CallContext{}, filter, std::numeric_limits<std::size_t>::max()));
  return in_parts(std::move(ids));
}

std::vector<PointId> ids_of(const Mutation& mutation) {
  if (const auto* upsert = std::get_if<UpsertPoints>(&mutation)) {
    std::vector<PointId> ids;
    ids.reserve(upsert->points.size());
    for (const auto& point : upsert->points) ids.push_back(point.id);
    return ids;
  }
  return std::visit(
      [](const auto& other) -> std::vector<PointId> {
        if constexpr (requires { other.ids; }) return other.ids;
        return {};
      },
      mutation);
}

}  // namespace quiver::cluster
