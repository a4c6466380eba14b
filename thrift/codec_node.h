#pragma once

#include <span>
#include <string>
#include <vector>

#include <quiver_wire/node_types.h>

#include "thrift/calls.h"

/// Between core types and generated structs: copies of shards, and calls to the node itself. The
/// rules and errors are those of codec.h.
namespace quiver::thrift {

/// Errors: InvalidArgument unless 1 to kNameBytesMax bytes of UTF-8.
Status check_token_name(std::string_view text, std::string_view what);

Result<wire::CheckpointReply> encode_checkpoint(const Checkpoint& checkpoint);
/// File names are relative and do not leave the directory.
Result<Checkpoint> decode_checkpoint(const wire::CheckpointReply& reply);

Result<wire::ChunkRequest> encode_chunk_call(const ChunkCall& chunk);
Result<ChunkCall> decode_chunk_call(const wire::ChunkRequest& request);
/// Errors: InvalidArgument if `bytes` is more than `wanted`.
Result<wire::ChunkReply> encode_chunk(std::string bytes, std::size_t wanted);
/// Errors: Corruption if the checksum does not match.
Result<std::string> decode_chunk(wire::ChunkReply&& reply, std::size_t wanted);

Result<wire::HandOverRequest> encode_hand_over(const HandOverCall& request);
Result<HandOverCall> decode_hand_over(const wire::HandOverRequest& request);

/// Errors: also InvalidArgument above kCopiesMax.
Result<std::vector<wire::CopyNameRecord>> encode_copies(std::span<const CopyName> copies);
Result<std::vector<CopyName>> decode_copies(const std::vector<wire::CopyNameRecord>& records);
wire::ContentSumsReply encode_sums(const ContentSums& sums);
/// Errors: InvalidArgument unless there are kContentBuckets sums.
Result<ContentSums> decode_sums(const wire::ContentSumsReply& reply);
wire::CopyPositionsReply encode_positions(const std::vector<CopyPosition>& positions);
/// Errors: InvalidArgument unless there are `asked`.
Result<std::vector<CopyPosition>> decode_positions(const wire::CopyPositionsReply& reply,
                                                   std::size_t asked);
Result<wire::PrimaryOrderRequest> encode_order(const PrimaryOrder& order);
Result<PrimaryOrder> decode_order(const wire::PrimaryOrderRequest& request);

Result<wire::JoinRequest> encode_join(const JoinCall& request);
Result<JoinCall> decode_join(const wire::JoinRequest& request);
Result<wire::JoinReply> encode_welcome(const Welcome& welcome);
Result<Welcome> decode_welcome(const wire::JoinReply& reply);

Result<HeartbeatEcho> decode_echo(const wire::HeartbeatReply& reply);
Result<wire::StatusReply> encode_status(const NodeStatus& status);
Result<NodeStatus> decode_status(const wire::StatusReply& reply);

}  // namespace quiver::thrift
