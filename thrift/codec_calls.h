#pragma once

#include <string>
#include <vector>

#include <quiver_wire/node_types.h>

#include "thrift/calls.h"

/// Between core types and generated structs: requests and replies of the calls for one shard. The
/// rules and errors are those of codec.h.
namespace quiver::thrift {

Result<wire::SearchRequest> encode_search(const SearchCall& query);
Result<SearchCall> decode_search(const wire::SearchRequest& request);

/// Hits of a search as one reply carries them.
struct SearchHits {
  std::vector<ScoredPoint> hits;
  /// The hits behind them, for which the reply had no room: id and score only.
  std::vector<ScoredPoint> further;
};
/// As many hits as make a message of kMessageBytesAim, the others as ids.
Result<wire::SearchReply> encode_hits(const std::vector<ScoredPoint>& hits, bool with_vectors);
Result<SearchHits> decode_hits(const wire::SearchReply& reply);

/// Errors: also InvalidArgument above kIdsMax.
Result<wire::GetRequest> encode_get(std::span<const PointId> ids, Projection projection);
Result<GetCall> decode_get(const wire::GetRequest& request);
/// `points`: what exists of `ids`, in their order. As many as make a message of kMessageBytesAim.
Result<wire::GetReply> encode_found(std::span<const PointId> ids, std::span<const Point> points,
                                    bool with_vectors);

Result<wire::ScrollRequest> encode_scroll(const ScrollCall& query);
Result<ScrollCall> decode_scroll(const wire::ScrollRequest& request);
Result<wire::ScrollReply> encode_page(std::span<const Point> points, bool with_vectors);

Result<wire::FieldsReply> encode_fields(const std::vector<FieldCount>& fields);
Result<std::vector<FieldCount>> decode_fields(const wire::FieldsReply& reply);

/// Errors: also InvalidArgument for a write that is larger than a frame: split_write() divides it.
Result<wire::WriteRequest> encode_write(const WriteRequest& request);
Result<WriteRequest> decode_write(const wire::WriteRequest& request);

Result<std::string> encode_spec(const CollectionSpec& spec);
Result<CollectionSpec> decode_spec(const std::string& text);

}  // namespace quiver::thrift
