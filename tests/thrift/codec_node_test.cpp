// Copies of shards, and what nodes say of themselves: sent through the real protocol and back.

#include "thrift/codec_node.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "tests/thrift/builders.h"
#include "tests/thrift/carried.h"
#include "thrift/codec.h"
#include "thrift/codec_calls.h"
#include "thrift/limits.h"

namespace {

using namespace quiver;
using namespace quiver::thrift;
using quiver::testing::carried;
using quiver::testing::refused;

TEST_CASE("codec: a hand-over comes back as it was, and names all three", "[thrift]") {
  const HandOverCall wanted{"cp-1", {"copy-2"}, {"node-3"}};
  const auto back = decode_hand_over(carried(encode_hand_over(wanted).value())).value();
  CHECK(back.checkpoint == wanted.checkpoint);
  CHECK(back.to_copy == wanted.to_copy);
  CHECK(back.to_node == wanted.to_node);
  refused(encode_hand_over({"", {"copy-2"}, {"node-3"}}), "checkpoint");
  refused(encode_hand_over({"cp-1", {}, {"node-3"}}), "to_copy");
  refused(encode_hand_over({"cp-1", {"copy-2"}, {"node/3"}}), "id");
}

TEST_CASE("codec: sums of what a copy holds come back as they were", "[thrift]") {
  ContentSums sums;
  sums.applied = {Term{9}, Seq{1ULL << 40U}};
  sums.points = 7;
  sums.buckets.resize(kContentBuckets);
  sums.buckets.front() = 0x0123'4567'89ab'cdefULL;
  sums.buckets.back() = ~0ULL;
  auto reply = carried(encode_sums(sums));
  CHECK(decode_sums(reply).value() == sums);
  reply.sums.pop_back();
  refused(decode_sums(reply), "sums: 32768 bytes, got 32767");
}

TEST_CASE("codec: copies, their positions and orders come back as they were", "[thrift]") {
  const std::string coll(32, 'c');
  const CopyId copy{std::string(32, '1')};
  const std::vector<CopyName> asked{{coll, ShardId{0}, copy},
                                    {std::string(32, 'd'), ShardId{7}, {std::string(32, '2')}}};
  std::vector<wire::CopyNameRecord> sent;
  const auto encoded = encode_copies(asked);
  for (const auto& record : encoded.value()) sent.push_back(carried(record));
  CHECK(decode_copies(sent).value() == asked);
  refused(encode_copies(std::vector<CopyName>{{"", ShardId{0}, copy}}), "collection");
  refused(encode_copies(std::vector<CopyName>{{coll, ShardId{0}, {}}}), "copy");
  refused(encode_copies(std::vector<CopyName>{{coll, ShardId{9999}, copy}}), "shard: 0 to 1023");
  sent.resize(kCopiesMax + 1, sent.front());
  refused(decode_copies(sent), "copies");

  const std::vector<CopyPosition> positions{
      {CopyCondition::Works, true, false, Term{9}, {Term{8}, Seq{1ULL << 40U}}, Seq{12}},
      {CopyCondition::Works, false, true, Term{9}, {}, Seq{0}, 0, 1ULL << 40U},
      {CopyCondition::Works, false, true, Term{9}, {}, Seq{0}, 7, 7},
      {CopyCondition::Failed, false, true, Term{0}, {}, Seq{0}},
      {CopyCondition::Absent, false, false, Term{0}, {}, Seq{0}}};
  auto reply = carried(encode_positions(positions));
  CHECK(decode_positions(reply, 5).value() == positions);
  refused(decode_positions(reply, 2), "positions: of 2 copies, got 5");
  for (const int condition : {0, 4}) {
    reply.positions[1].condition = condition;
    refused(decode_positions(reply, 5), "condition: 1 to 3");
  }
  reply.positions[1].condition = 1;
  for (const int fetched : {-1, 8}) {
    reply.positions[2].bytes_fetched = fetched;
    refused(decode_positions(reply, 5), "bytes_fetched: 0 to 7");
  }

  for (const auto kind : {PrimaryOrder::Kind::HandOff, PrimaryOrder::Kind::Drop}) {
    const PrimaryOrder order{kind, copy};
    CHECK(decode_order(carried(encode_order(order).value())).value() == order);
  }
  refused(encode_order({PrimaryOrder::Kind::Drop, {}}), "copy");
  auto order = encode_order({PrimaryOrder::Kind::Drop, copy}).value();
  for (const int kind : {0, 3}) {
    order.kind = kind;
    refused(decode_order(order), "kind: 1 or 2");
  }
}

TEST_CASE("codec: a checkpoint and its chunks come back as they were", "[thrift]") {
  const Checkpoint checkpoint{
      "cp-1", {{"000012.sst", 1}, {"graph/snapshot", 0}}, {Term{2}, Seq{99}}};
  const auto back = decode_checkpoint(carried(encode_checkpoint(checkpoint).value())).value();
  CHECK(back.id == checkpoint.id);
  CHECK(back.files == checkpoint.files);
  CHECK(back.position == checkpoint.position);

  const ChunkCall chunk{"cp-1", "graph/snapshot", 1ULL << 40U, kChunkBytesMax};
  const auto asked = decode_chunk_call(carried(encode_chunk_call(chunk).value())).value();
  CHECK(asked.checkpoint == chunk.checkpoint);
  CHECK(asked.file == chunk.file);
  CHECK(asked.offset == chunk.offset);
  CHECK(asked.length == chunk.length);

  auto reply = carried(encode_chunk("some bytes", 100).value());
  CHECK(decode_chunk(wire::ChunkReply(reply), 100).value() == "some bytes");
  refused(decode_chunk(wire::ChunkReply(reply), 9), "bytes: at most 9");
  refused(encode_chunk("some bytes", 9), "bytes: at most 9, got 10");
  reply.bytes[3] ^= 1;
  CHECK(decode_chunk(std::move(reply), 100).error().code == ErrorCode::Corruption);
}

TEST_CASE("codec: files outside a shard's directory are refused", "[thrift]") {
  const std::string name = GENERATE(as<std::string>{}, "", "/etc/passwd", "../x", "a/../../x",
                                    "a//b", "a/", ".", std::string("a\0b", 3));
  refused(encode_checkpoint({"cp", {{name, 1}}, {}}), "file");
  wire::CheckpointReply reply;
  reply.checkpoint = "cp";
  reply.files.resize(1);
  reply.files[0].name = name;
  refused(decode_checkpoint(reply), "file");
  refused(encode_chunk_call({"cp", name, 0, 1}), "file");
}

TEST_CASE("codec: chunks out of bounds are refused", "[thrift]") {
  wire::ChunkRequest request;
  request.checkpoint = "cp";
  request.file = "a";
  request.length = 1;
  request.offset = -1;
  refused(decode_chunk_call(request), "offset");
  request.offset = 0;
  request.length = GENERATE(0, -1, (1 << 20) + 1);
  refused(decode_chunk_call(request), "length: 1 to 1048576");
  refused(encode_chunk_call({"cp", "a", 0, kChunkBytesMax + 1}), "length");
  wire::CheckpointReply reply;
  reply.checkpoint = "cp";
  reply.files.resize(1);
  reply.files[0].name = "a";
  reply.files[0].bytes = -1;
  refused(decode_checkpoint(reply), "bytes: not negative");
}

TEST_CASE("codec: joining and its answer come back as they were", "[thrift]") {
  const JoinCall join{{"n-4", 17, "0.1.0"}, "10.0.0.4:7700", "10.0.0.4:7600", "zone-b", 2.5};
  const auto back = decode_join(carried(encode_join(join).value())).value();
  CHECK(back.node == join.node);
  CHECK(back.rpc_address == join.rpc_address);
  CHECK(back.http_address == join.http_address);
  CHECK(back.zone == join.zone);
  CHECK(back.weight == 2.5);
  auto light = join;
  light.weight = GENERATE(0.0, -1.0, 1001.0, std::nan(""));
  refused(encode_join(light), "weight");

  const Welcome welcome{"c-1", {"http://10.0.0.1:2379"}, {{"n-1", "10.0.0.1:7700", "active"}}};
  const auto in = decode_welcome(carried(encode_welcome(welcome).value())).value();
  CHECK(in.cluster_id == "c-1");
  CHECK(in.coordination == welcome.coordination);
  CHECK(in.members == welcome.members);
  refused(encode_welcome({"", {}, {}}), "cluster_id: must not be empty");
}

TEST_CASE("codec: a status comes back as it was", "[thrift]") {
  NodeStatus status;
  status.node = {"n-1", 3, "0.1.0"};
  status.state = "active";
  status.uptime = std::chrono::milliseconds(1234);
  status.load = 0.75;
  status.memory_bytes = 1;
  status.disk_bytes_total = 1ULL << 41U;
  status.disk_bytes_free = 3;
  status.shards = {
      {quiver::testing::kCollection, ShardId{5}, "ready", {1, 2, 3}, {Term{1}, Seq{9}}}};
  const auto back = decode_status(carried(encode_status(status).value())).value();
  CHECK(back.node == status.node);
  CHECK(back.state == "active");
  CHECK(back.uptime == status.uptime);
  CHECK(back.load == 0.75);
  CHECK(back.memory_bytes == 1);
  CHECK(back.disk_bytes_total == status.disk_bytes_total);
  CHECK(back.disk_bytes_free == 3);
  CHECK(back.shards == status.shards);

  auto reply = encode_status(status).value();
  reply.shards[0].shard = -1;
  refused(decode_status(reply), "shard: 0 to 1023");
  status.load = std::nan("");
  refused(encode_status(status), "load");

  wire::HeartbeatReply echo;
  echo.node = encode_node(status.node);
  echo.state = std::string(257, 'x');
  refused(decode_echo(echo), "state: at most 256");
  echo.state = "active";
  CHECK(decode_echo(echo)->node == status.node);
}

TEST_CASE("codec: a collection's description comes back as it was", "[thrift]") {
  CollectionSpec spec;
  spec.id = quiver::testing::kCollection;
  spec.name = "notes";
  spec.dimension = 384;
  spec.shard_count = 16;
  CHECK(decode_spec(encode_spec(spec).value()).value() == spec);
  spec.dimension = 0;
  refused(encode_spec(spec), "dimension");
  refused(decode_spec("{}"), "spec");
  refused(decode_spec("{"), "spec: not JSON");
}

}  // namespace
