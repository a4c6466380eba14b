#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"
#include "service/steer.h"
#include "service/values.h"

namespace quiver::service {

struct MemoryStoreItem {
  std::string text;
  std::optional<PointId> id;
  std::optional<Metadata> metadata;

  static constexpr auto fields() {
    return describe(
        field("text", &MemoryStoreItem::text).guarded(1, limits::kTextBytesMax),
        field("id", &MemoryStoreItem::id),
        field("metadata", &MemoryStoreItem::metadata, "Any JSON; scalar fields can be filtered"));
  }
};

struct MemoryStoreRequest {
  std::vector<MemoryStoreItem> items;
  std::string collection{kDefaultCollection};
  std::optional<std::uint32_t> ttl_seconds;

  static constexpr std::uint32_t kTtlMax = 315'360'000;  // ten years

  static constexpr auto fields() {
    return describe(field("items", &MemoryStoreRequest::items).between(1, 256),
                    field("collection", &MemoryStoreRequest::collection)
                        .guarded(1, limits::kCollectionNameBytesMax)
                        .optional(),
                    field("ttl_seconds", &MemoryStoreRequest::ttl_seconds,
                          "Forget after this many seconds; stored text keeps its time without it")
                        .between(1, kTtlMax));
  }
};

struct MemoryStoreResponse {
  std::uint64_t stored = 0;
  std::vector<PointId> ids;
  std::uint64_t updated = 0;
  std::uint64_t duplicates = 0;
  std::optional<bool> given_ids_omitted;

  static constexpr auto fields() {
    return describe(
        field("stored", &MemoryStoreResponse::stored,
              "Items written, new or over the id they came with"),
        field("ids", &MemoryStoreResponse::ids, "Of each item, in the order given"),
        field("updated", &MemoryStoreResponse::updated,
              "Items without id whose text was there already and got metadata or a time to live"),
        field("duplicates", &MemoryStoreResponse::duplicates,
              "Items without id whose text was there already and nothing was written for"),
        field("given_ids_omitted", &MemoryStoreResponse::given_ids_omitted,
              "ids are only of the items that came without one, to bound this reply"));
  }
};

/// Stores texts with the vectors of the collection's embedder, all of a shard's in one write.
///
/// An item without id gets one made from its text, so that the same text is stored once. Where it
/// is there already, the fields of its metadata are merged into what is stored, and the time to
/// live is renewed if one is given; with nothing new, nothing is written. What others write
/// meanwhile counts: it is merged into, and neither lost nor brought back.
///
/// Errors: InvalidArgument for an id that two items have, for a text that two have with different
/// metadata, and for metadata that merging would make larger than kMetadataBytesMax; see
/// Collections::find, embedder_of(), Provider::embed, Collection::upsert_if.
Result<MemoryStoreResponse> memory_store(const CallContext& call, Engine& engine,
                                         const MemoryStoreRequest& request);

Operation memory_store_operation();

}  // namespace quiver::service
