#include "thrift/codec_node.h"

#include <cmath>
#include <utility>

#include "core/limits.h"
#include "core/text.h"
#include "thrift/codec.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

Status at_most(std::string_view what, std::size_t value, std::size_t high) {
  if (value <= high) return Done{};
  return wrong(what, "at most " + std::to_string(high) + ", got " + std::to_string(value));
}

/// A peer names files that are written under a directory of ours: the name must stay below it.
Status check_file(std::string_view name) {
  QV_CHECK(check_token_name(name, "file"));
  std::size_t start = 0;
  while (start <= name.size()) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    const auto part = name.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos) {
      return wrong("file", "a path below the shard's directory, without . and ..");
    }
    start = end + 1;
  }
  return Done{};
}

wire::ShardRecord encode_shard(const ShardStatus& shard) {
  wire::ShardRecord out;
  out.collection = shard.collection;
  out.shard = static_cast<std::int32_t>(raw(shard.shard));
  out.state = shard.state;
  out.points = static_cast<std::int64_t>(shard.counts.points);
  out.unindexed = static_cast<std::int64_t>(shard.counts.unindexed);
  out.disk_bytes = static_cast<std::int64_t>(shard.counts.disk_bytes);
  out.term = static_cast<std::int64_t>(raw(shard.position.term));
  out.last_seq = static_cast<std::int64_t>(raw(shard.position.seq));
  return out;
}

Result<ShardId> decode_number(std::int32_t shard) {
  if (shard >= 0 && static_cast<std::uint32_t>(shard) < limits::kShardsMax) {
    return ShardId{static_cast<std::uint32_t>(shard)};
  }
  return wrong("shard",
               "0 to " + std::to_string(limits::kShardsMax - 1) + ", got " + std::to_string(shard));
}

Result<ShardStatus> decode_shard(const wire::ShardRecord& record) {
  QV_CHECK(check_token_name(record.collection, "collection"));
  QV_CHECK(check_name(record.state, "state"));
  QV_TRY(const auto number, decode_number(record.shard));
  return ShardStatus{
      record.collection,
      number,
      record.state,
      {static_cast<std::uint64_t>(record.points), static_cast<std::uint64_t>(record.unindexed),
       static_cast<std::uint64_t>(record.disk_bytes)},
      {Term{static_cast<std::uint64_t>(record.term)},
       Seq{static_cast<std::uint64_t>(record.last_seq)}}};
}

Status check_join(const JoinCall& request) {
  QV_CHECK(check_token_name(request.rpc_address, "rpc_address"));
  QV_CHECK(check_name(request.http_address, "http_address"));
  QV_CHECK(check_name(request.zone, "zone"));
  constexpr double kWeightMax = 1000.0;
  if (std::isfinite(request.weight) && request.weight > 0.0 && request.weight <= kWeightMax) {
    return Done{};
  }
  return wrong("weight", "above 0 and at most 1000");
}

}  // namespace

Status check_token_name(std::string_view text, std::string_view what) {
  QV_CHECK(check_name(text, what));
  if (!text.empty()) return Done{};
  return wrong(what, "must not be empty");
}

Result<wire::CheckpointReply> encode_checkpoint(const Checkpoint& checkpoint) {
  QV_CHECK(check_token_name(checkpoint.id, "checkpoint"));
  QV_CHECK(at_most("files", checkpoint.files.size(), kCheckpointFilesMax));
  wire::CheckpointReply out;
  out.checkpoint = checkpoint.id;
  for (const auto& file : checkpoint.files) {
    QV_CHECK(check_file(file.name));
    wire::FileRecord record;
    record.name = file.name;
    record.bytes = static_cast<std::int64_t>(file.bytes);
    out.files.push_back(std::move(record));
  }
  out.last_term = static_cast<std::int64_t>(raw(checkpoint.position.term));
  out.last_seq = static_cast<std::int64_t>(raw(checkpoint.position.seq));
  return out;
}

Result<Checkpoint> decode_checkpoint(const wire::CheckpointReply& reply) {
  QV_CHECK(check_token_name(reply.checkpoint, "checkpoint"));
  QV_CHECK(at_most("files", reply.files.size(), kCheckpointFilesMax));
  Checkpoint out;
  out.id = reply.checkpoint;
  for (const auto& file : reply.files) {
    QV_CHECK(check_file(file.name));
    if (file.bytes < 0) return wrong("bytes", "not negative, got " + std::to_string(file.bytes));
    out.files.push_back({file.name, static_cast<std::uint64_t>(file.bytes)});
  }
  out.position = {Term{static_cast<std::uint64_t>(reply.last_term)},
                  Seq{static_cast<std::uint64_t>(reply.last_seq)}};
  return out;
}

Result<wire::ChunkRequest> encode_chunk_call(const ChunkCall& chunk) {
  wire::ChunkRequest out;
  out.checkpoint = chunk.checkpoint;
  out.file = chunk.file;
  out.offset = static_cast<std::int64_t>(chunk.offset);
  QV_CHECK(at_most("length", chunk.length, kChunkBytesMax));
  out.length = static_cast<std::int32_t>(chunk.length);
  // What the peer would refuse is refused here, and travels for nothing.
  QV_CHECK(decode_chunk_call(out));
  return out;
}

Result<ChunkCall> decode_chunk_call(const wire::ChunkRequest& request) {
  QV_CHECK(check_token_name(request.checkpoint, "checkpoint"));
  QV_CHECK(check_file(request.file));
  if (request.offset < 0) {
    return wrong("offset", "not negative, got " + std::to_string(request.offset));
  }
  if (request.length < 1 || static_cast<std::size_t>(request.length) > kChunkBytesMax) {
    return wrong("length", "1 to " + std::to_string(kChunkBytesMax) + ", got " +
                               std::to_string(request.length));
  }
  return ChunkCall{request.checkpoint, request.file, static_cast<std::uint64_t>(request.offset),
                   static_cast<std::size_t>(request.length)};
}

Result<wire::ChunkReply> encode_chunk(std::string bytes, std::size_t wanted) {
  QV_CHECK(at_most("bytes", bytes.size(), wanted));
  wire::ChunkReply out;
  out.checksum = static_cast<std::int64_t>(stable_hash(bytes));
  out.bytes = std::move(bytes);
  return out;
}

Result<std::string> decode_chunk(wire::ChunkReply&& reply, std::size_t wanted) {
  QV_CHECK(at_most("bytes", reply.bytes.size(), wanted));
  if (stable_hash(reply.bytes) != static_cast<std::uint64_t>(reply.checksum)) {
    return Error{ErrorCode::Corruption, "a chunk of a file does not match its checksum"};
  }
  return std::move(reply.bytes);
}

Result<wire::HandOverRequest> encode_hand_over(const HandOverCall& request) {
  wire::HandOverRequest out;
  out.checkpoint = request.checkpoint;
  out.to_copy = request.to_copy.text;
  out.to_node = request.to_node.text;
  QV_CHECK(decode_hand_over(out));
  return out;
}

Result<HandOverCall> decode_hand_over(const wire::HandOverRequest& request) {
  QV_CHECK(check_token_name(request.checkpoint, "checkpoint"));
  QV_CHECK(check_token_name(request.to_copy, "to_copy"));
  QV_CHECK(check_node_id(request.to_node));
  return HandOverCall{request.checkpoint, {request.to_copy}, {request.to_node}};
}

Result<std::vector<wire::CopyNameRecord>> encode_copies(std::span<const CopyName> copies) {
  std::vector<wire::CopyNameRecord> out;
  for (const auto& copy : copies) {
    auto& record = out.emplace_back();
    record.collection = copy.collection;
    record.shard = static_cast<std::int32_t>(raw(copy.shard));
    record.copy = copy.copy.text;
  }
  QV_CHECK(decode_copies(out));
  return out;
}

Result<std::vector<CopyName>> decode_copies(const std::vector<wire::CopyNameRecord>& records) {
  QV_CHECK(at_most("copies", records.size(), kCopiesMax));
  std::vector<CopyName> out;
  for (const auto& record : records) {
    QV_CHECK(check_id(record.collection, "collection"));
    QV_TRY(const auto shard, decode_number(record.shard));
    QV_CHECK(check_id(record.copy, "copy"));
    out.push_back({record.collection, shard, {record.copy}});
  }
  return out;
}

wire::CopyPositionsReply encode_positions(const std::vector<CopyPosition>& positions) {
  wire::CopyPositionsReply out;
  for (const auto& position : positions) {
    auto& record = out.positions.emplace_back();
    record.condition = static_cast<std::int32_t>(position.condition);
    record.serves = position.serves;
    record.hears = position.hears;
    record.seen = static_cast<std::int64_t>(raw(position.seen));
    record.last_term = static_cast<std::int64_t>(raw(position.last.term));
    record.last_seq = static_cast<std::int64_t>(raw(position.last.seq));
    record.applied = static_cast<std::int64_t>(raw(position.applied));
    if (position.bytes_total == 0) continue;
    record.__set_bytes_fetched(static_cast<std::int64_t>(position.bytes_fetched));
    record.__set_bytes_total(static_cast<std::int64_t>(position.bytes_total));
  }
  return out;
}

Result<std::vector<CopyPosition>> decode_positions(const wire::CopyPositionsReply& reply,
                                                   std::size_t asked) {
  if (reply.positions.size() != asked) {
    return wrong("positions", "of " + std::to_string(asked) + " copies, got " +
                                  std::to_string(reply.positions.size()));
  }
  std::vector<CopyPosition> out;
  for (const auto& record : reply.positions) {
    if (record.condition < 1 || record.condition > 3) {
      return wrong("condition", "1 to 3, got " + std::to_string(record.condition));
    }
    if (record.bytes_fetched < 0 || record.bytes_fetched > record.bytes_total) {
      return wrong("bytes_fetched", "0 to " + std::to_string(record.bytes_total) + ", got " +
                                        std::to_string(record.bytes_fetched));
    }
    out.push_back({static_cast<CopyCondition>(record.condition),
                   record.serves,
                   record.hears,
                   Term{static_cast<std::uint64_t>(record.seen)},
                   {Term{static_cast<std::uint64_t>(record.last_term)},
                    Seq{static_cast<std::uint64_t>(record.last_seq)}},
                   Seq{static_cast<std::uint64_t>(record.applied)},
                   static_cast<std::uint64_t>(record.bytes_fetched),
                   static_cast<std::uint64_t>(record.bytes_total)});
  }
  return out;
}

wire::ContentSumsReply encode_sums(const ContentSums& sums) {
  wire::ContentSumsReply out;
  out.term = static_cast<std::int64_t>(raw(sums.applied.term));
  out.seq = static_cast<std::int64_t>(raw(sums.applied.seq));
  out.points = static_cast<std::int64_t>(sums.points);
  out.sums.reserve(sums.buckets.size() * sizeof(std::uint64_t));
  for (const auto sum : sums.buckets) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      out.sums.push_back(static_cast<char>(sum >> shift & 0xffU));
    }
  }
  return out;
}

Result<ContentSums> decode_sums(const wire::ContentSumsReply& reply) {
  if (reply.sums.size() != kContentBuckets * sizeof(std::uint64_t)) {
    return wrong("sums", std::to_string(kContentBuckets * sizeof(std::uint64_t)) + " bytes, got " +
                             std::to_string(reply.sums.size()));
  }
  ContentSums out;
  out.applied = {Term{static_cast<std::uint64_t>(reply.term)},
                 Seq{static_cast<std::uint64_t>(reply.seq)}};
  out.points = static_cast<std::uint64_t>(reply.points);
  out.buckets.resize(kContentBuckets);
  for (std::size_t i = 0; i < reply.sums.size(); ++i) {
    const auto byte = static_cast<std::uint64_t>(static_cast<unsigned char>(reply.sums[i]));
    out.buckets[i / sizeof(std::uint64_t)] |= byte << (8 * (i % sizeof(std::uint64_t)));
  }
  return out;
}

Result<wire::PrimaryOrderRequest> encode_order(const PrimaryOrder& order) {
  wire::PrimaryOrderRequest out;
  out.kind = static_cast<std::int32_t>(order.kind);
  out.copy = order.copy.text;
  QV_CHECK(decode_order(out));
  return out;
}

Result<PrimaryOrder> decode_order(const wire::PrimaryOrderRequest& request) {
  if (request.kind < 1 || request.kind > 2) {
    return wrong("kind", "1 or 2, got " + std::to_string(request.kind));
  }
  QV_CHECK(check_id(request.copy, "copy"));
  return PrimaryOrder{static_cast<PrimaryOrder::Kind>(request.kind), {request.copy}};
}

Result<wire::JoinRequest> encode_join(const JoinCall& request) {
  QV_CHECK(check_join(request));
  wire::JoinRequest out;
  out.node = encode_node(request.node);
  out.rpc_address = request.rpc_address;
  out.http_address = request.http_address;
  out.zone = request.zone;
  out.weight = request.weight;
  return out;
}

Result<JoinCall> decode_join(const wire::JoinRequest& request) {
  JoinCall out;
  QV_TRY(out.node, decode_node(request.node));
  out.rpc_address = request.rpc_address;
  out.http_address = request.http_address;
  out.zone = request.zone;
  out.weight = request.weight;
  QV_CHECK(check_join(out));
  return out;
}

Result<wire::JoinReply> encode_welcome(const Welcome& welcome) {
  wire::JoinReply out;
  out.cluster_id = welcome.cluster_id;
  out.coordination = welcome.coordination;
  for (const auto& member : welcome.members) {
    wire::MemberRecord record;
    record.id = member.id;
    record.rpc_address = member.rpc_address;
    record.state = member.state;
    out.members.push_back(std::move(record));
  }
  QV_CHECK(decode_welcome(out));
  return out;
}

Result<Welcome> decode_welcome(const wire::JoinReply& reply) {
  QV_CHECK(check_token_name(reply.cluster_id, "cluster_id"));
  QV_CHECK(at_most("coordination", reply.coordination.size(), kMembersMax));
  QV_CHECK(at_most("members", reply.members.size(), kMembersMax));
  for (const auto& endpoint : reply.coordination)
    QV_CHECK(check_token_name(endpoint, "coordination"));
  Welcome out{reply.cluster_id, reply.coordination, {}};
  for (const auto& record : reply.members) {
    QV_CHECK(check_node_id(record.id));
    QV_CHECK(check_name(record.rpc_address, "rpc_address"));
    QV_CHECK(check_name(record.state, "state"));
    out.members.push_back({record.id, record.rpc_address, record.state});
  }
  return out;
}

Result<HeartbeatEcho> decode_echo(const wire::HeartbeatReply& reply) {
  HeartbeatEcho out;
  QV_TRY(out.node, decode_node(reply.node));
  QV_CHECK(check_name(reply.state, "state"));
  out.state = reply.state;
  return out;
}

Result<wire::StatusReply> encode_status(const NodeStatus& status) {
  wire::StatusReply out;
  out.node = encode_node(status.node);
  out.state = status.state;
  out.uptime_ms = status.uptime.count();
  out.load = status.load;
  out.memory_bytes = static_cast<std::int64_t>(status.memory_bytes);
  out.disk_bytes_total = static_cast<std::int64_t>(status.disk_bytes_total);
  out.disk_bytes_free = static_cast<std::int64_t>(status.disk_bytes_free);
  for (const auto& shard : status.shards) out.shards.push_back(encode_shard(shard));
  QV_CHECK(decode_status(out));
  return out;
}

Result<NodeStatus> decode_status(const wire::StatusReply& reply) {
  NodeStatus out;
  QV_TRY(out.node, decode_node(reply.node));
  QV_CHECK(check_name(reply.state, "state"));
  if (!std::isfinite(reply.load) || reply.load < 0.0) return wrong("load", "0 or more");
  QV_CHECK(at_most("shards", reply.shards.size(), kListMax));
  out.state = reply.state;
  out.uptime = std::chrono::milliseconds(reply.uptime_ms);
  out.load = reply.load;
  out.memory_bytes = static_cast<std::uint64_t>(reply.memory_bytes);
  out.disk_bytes_total = static_cast<std::uint64_t>(reply.disk_bytes_total);
  out.disk_bytes_free = static_cast<std::uint64_t>(reply.disk_bytes_free);
  for (const auto& record : reply.shards) {
    QV_TRY(auto shard, decode_shard(record));
    out.shards.push_back(std::move(shard));
  }
  return out;
}

}  // namespace quiver::thrift
