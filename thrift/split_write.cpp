#include "thrift/split_write.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "core/derived_request_id.h"
#include "core/limits.h"
#include "thrift/codec.h"

namespace quiver::thrift {
namespace {

/// Runs of `items`, each of at most `count_max` and, unless it is one item, `bytes` by `size_of`.
template <typename Item, typename SizeOf>
std::vector<std::vector<Item>> runs(std::vector<Item> items, std::size_t count_max,
                                    std::size_t bytes, const SizeOf& size_of) {
  std::vector<std::vector<Item>> out;
  std::size_t used = 0;
  for (auto& item : items) {
    const std::size_t size = size_of(item);
    if (out.empty() || out.back().size() == count_max || used + size > bytes) {
      out.emplace_back();
      used = 0;
    }
    used += size;
    out.back().push_back(std::move(item));
  }
  // A write of nothing is still a write.
  if (out.empty()) out.emplace_back();
  return out;
}

std::size_t id_bytes(const PointId& id) {
  return id.key().size() + sizeof(std::uint32_t);
}

std::vector<WriteRequest> split(UpsertPoints write, std::size_t bytes) {
  std::vector<WriteRequest> out;
  const auto size = [](const Point& point) { return wire_bytes(point, true); };
  for (auto& run : runs(std::move(write.points), limits::kBatchPointsMax, bytes, size)) {
    out.emplace_back(std::in_place_type<Mutation>, std::in_place_type<UpsertPoints>,
                     UpsertPoints{std::move(run)});
  }
  return out;
}

std::vector<WriteRequest> split(ErasePoints write, std::size_t bytes) {
  std::vector<WriteRequest> out;
  for (auto& run : runs(std::move(write.ids), kIdsMax, bytes, id_bytes)) {
    out.emplace_back(std::in_place_type<Mutation>, std::in_place_type<ErasePoints>,
                     ErasePoints{std::move(run)});
  }
  return out;
}

std::vector<WriteRequest> split(EraseExpired write, std::size_t bytes) {
  std::vector<WriteRequest> out;
  for (auto& run : runs(std::move(write.ids), kIdsMax, bytes, id_bytes)) {
    out.emplace_back(std::in_place_type<Mutation>, std::in_place_type<EraseExpired>,
                     EraseExpired{std::move(run), write.before_ms});
  }
  return out;
}

std::vector<WriteRequest> split(const UpdatePayload& write, std::size_t bytes) {
  std::vector<WriteRequest> out;
  const std::size_t payload = wire_bytes(write.payload);
  const std::size_t room = bytes > payload ? bytes - payload : 0;
  for (auto& run : runs(write.ids, kIdsMax, room, id_bytes)) {
    out.emplace_back(std::in_place_type<Mutation>, std::in_place_type<UpdatePayload>,
                     UpdatePayload{std::move(run), write.mode, write.payload});
  }
  return out;
}

/// Each expectation goes with the point that it speaks of; what speaks of none is left out.
std::vector<WriteRequest> split(UpsertIf write, std::size_t bytes) {
  std::map<PointId, std::vector<Expectation>> expected;
  for (auto& expectation : write.expected) {
    expected[expectation.id].push_back(std::move(expectation));
  }
  std::vector<WriteRequest> out;
  const auto size = [](const Point& point) { return wire_bytes(point, true) + id_bytes(point.id); };
  for (auto& run : runs(std::move(write.points), limits::kBatchPointsMax, bytes, size)) {
    UpsertIf part;
    for (const auto& point : run) {
      const auto found = expected.find(point.id);
      if (found == expected.end()) continue;
      std::move(found->second.begin(), found->second.end(), std::back_inserter(part.expected));
      expected.erase(found);
    }
    part.points = std::move(run);
    out.emplace_back(std::move(part));
  }
  return out;
}

}  // namespace

std::vector<WriteRequest> split_write(WriteRequest write, std::size_t bytes) {
  if (auto* mutation = std::get_if<Mutation>(&write)) {
    return std::visit([&](auto& value) { return split(std::move(value), bytes); }, *mutation);
  }
  if (auto* conditional = std::get_if<UpsertIf>(&write)) {
    return split(std::move(*conditional), bytes);
  }
  std::vector<WriteRequest> out;
  out.push_back(std::move(write));
  return out;
}

RequestId part_id(const RequestId& whole, std::size_t part, std::size_t parts) {
  if (whole.empty() || parts <= 1) return whole;
  // Both numbers: the parts of another division of the same write are other writes.
  std::string seed(whole.bytes.begin(), whole.bytes.end());
  seed += "/" + std::to_string(part) + "/" + std::to_string(parts);
  return derived_request_id(seed);
}

RequestId part_id(const RequestId& whole, const UpsertIf& part) {
  if (whole.empty()) return whole;
  std::string seed(whole.bytes.begin(), whole.bytes.end());
  for (const auto& point : part.points) {
    const auto key = point.id.key();
    seed += '/' + std::to_string(key.size()) + '/';
    seed += key;
  }
  return derived_request_id(seed);
}

}  // namespace quiver::thrift
