#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <quiver_wire/common_types.h>

#include "core/limits.h"
#include "thrift/calls.h"

/// Between core types and generated structs: the words that all calls share. encode_*() makes what
/// travels, decode_*() checks what came; each reverses the other.
///
/// Errors of encode_*(): InvalidArgument for what the wire cannot carry, naming it.
/// Errors of decode_*(): InvalidArgument naming the field, what was wrong and what would be right.
namespace quiver::thrift {

/// Vectors as bytes, one behind the other.
std::string encode_floats(std::span<const float> floats);
/// `count` floats, all finite; `what` names them in an error.
Result<std::vector<float>> decode_floats(std::string_view bytes, std::size_t count,
                                         std::string_view what);

std::vector<std::string> encode_ids(std::span<const PointId> ids);
Result<PointId> decode_id(std::string_view key);
/// At most kIdsMax.
Result<std::vector<PointId>> decode_ids(const std::vector<std::string>& keys);

/// Compact JSON text. `what` names it in an error.
Result<std::string> encode_json(const Json& json, std::string_view what);
/// At most `bytes_max` bytes and limits::kJsonDepthMax levels.
Result<Json> decode_json(std::string_view text, std::string_view what,
                         std::size_t bytes_max = limits::kPayloadBytesMax);

/// At most kFilterBytesMax bytes.
Result<std::string> encode_filter(const Filter& filter);
Result<Filter> decode_filter(std::string_view text);
Result<std::optional<Filter>> decode_filter_if(bool present, std::string_view text);

wire::Projection encode_projection(const Projection& projection);
Projection decode_projection(const wire::Projection& projection);

/// `with_vectors`: every point has one of the same dimension, at least 1. Without, they are left
/// out.
Result<wire::PointBatch> encode_points(std::span<const Point> points, bool with_vectors);
/// Either all points have a vector or none.
Result<std::vector<Point>> decode_points(const wire::PointBatch& batch);
/// Bytes that a point takes in a message, never fewer than it does.
std::size_t wire_bytes(const Point& point, bool with_vector);
/// Bytes of `json` as compact text, or a few more.
std::size_t wire_bytes(const Json& json);

wire::NodeRecord encode_node(const NodeIdentity& node);
Result<NodeIdentity> decode_node(const wire::NodeRecord& node);
/// Errors: InvalidArgument unless 32 hexadecimal digits, as ids of collections and copies are.
Status check_id(std::string_view id, std::string_view what);
/// Errors: InvalidArgument unless 1 to 64 of [A-Za-z0-9_.-].
Status check_node_id(std::string_view id);
/// Errors: InvalidArgument if `text` is longer than kNameBytesMax or not UTF-8.
Status check_name(std::string_view text, std::string_view what);

/// `shard`: null for a call to the node. `time_left` becomes the deadline of the header.
wire::CallHeader encode_header(const std::string& cluster, const std::string& caller,
                               const NodeCall& call, const ShardCall* shard,
                               std::chrono::milliseconds time_left);
/// `arrival`: when the call came in; the deadline counts from there.
Result<NodeCall> decode_header(const wire::CallHeader& header,
                               std::chrono::steady_clock::time_point arrival);
Result<ShardCall> decode_shard_header(const wire::CallHeader& header,
                                      std::chrono::steady_clock::time_point arrival);

wire::ReplyHeader encode_info(const ReplyInfo& info);
ReplyInfo decode_info(const wire::ReplyHeader& header);

wire::QuiverError encode_error(const Error& error, const ReplyInfo& info);
/// A code that this program does not know reads as Internal.
RemoteError decode_error(const wire::QuiverError& error);

}  // namespace quiver::thrift
