// What one node of a cluster asks of another. See common.thrift for the rules of the encoding.

include "common.thrift"

namespace cpp quiver.wire

// -- greeting: the first two calls of every connection

struct HelloRequest {
  1: i32 protocol
  2: string cluster
  3: common.NodeRecord node
  // quiver::thrift::Purpose: what the connection will be used for.
  4: i32 purpose
  // 32 random bytes.
  5: binary nonce
  // The caller has a cluster token and will prove it.
  6: bool proves
}

struct HelloReply {
  1: common.NodeRecord node
  2: binary nonce
  // Absent unless both sides have a cluster token.
  3: optional binary proof
}

// -- reads of one shard

// `filter` is the JSON that clients write, in canonical form.
struct SearchRequest {
  1: binary vector
  2: i32 k
  3: i32 ef
  4: bool exact
  5: optional binary filter
  6: common.Projection projection
}

// Nearest first. Hits that would make the reply too large come as ids behind the others; `scores`
// are float32 like vectors, of all of them.
struct SearchReply {
  1: common.ReplyHeader header
  2: common.PointBatch hits
  3: list<binary> further
  4: binary scores
}

struct GetRequest {
  1: list<binary> ids
  2: common.Projection projection
}

// `answered`: how many of the ids, from the first on, the reply speaks of.
struct GetReply {
  1: common.ReplyHeader header
  2: common.PointBatch points
  3: i32 answered
}

struct ScrollRequest {
  1: optional binary filter
  2: optional binary after
  3: i32 limit
  4: common.Projection projection
}

// `cut`: the reply holds fewer points than were asked for because it would be too large.
struct ScrollReply {
  1: common.ReplyHeader header
  2: common.PointBatch points
  3: bool cut
}

struct CountRequest {
  1: optional binary filter
}

struct CountReply {
  1: common.ReplyHeader header
  2: i64 count
}

struct FieldRecord {
  1: string name
  2: list<string> types
  3: i64 points
  // JSON values.
  4: list<binary> examples
}

struct FieldsReply {
  1: common.ReplyHeader header
  2: list<FieldRecord> fields
}

struct StatsReply {
  1: common.ReplyHeader header
  2: i64 points
  3: i64 unindexed
  4: i64 disk_bytes
}

// -- writes to one shard

struct EraseExpired {
  1: list<binary> ids
  2: i64 before_ms
}

struct PayloadUpdate {
  1: list<binary> ids
  // quiver::UpdatePayload::Mode
  2: i32 mode
  3: binary payload
}

struct IdList {
  1: list<binary> ids
}

// `digest`: quiver::digest_of() the point that must be stored under the id; absent: none may be.
struct Expectation {
  1: binary id
  2: optional i64 digest
}

// Exactly one of the first five is set. `erase_matching` is a filter that the owner of the shard
// resolves. `expected` goes with `upsert`, which then takes effect only if all of it holds; a node
// that does not know it upserts in any case.
struct WriteRequest {
  1: optional common.PointBatch upsert
  2: optional IdList erase
  3: optional EraseExpired erase_expired
  4: optional PayloadUpdate update_payload
  5: optional binary erase_matching
  6: optional list<Expectation> expected
}

struct WriteReply {
  1: common.ReplyHeader header
  2: i64 affected
  3: i64 created
}

struct Ack {
  1: common.ReplyHeader header
}

// -- a copy of one shard

struct FileRecord {
  1: string name
  2: i64 bytes
}

struct CheckpointReply {
  1: common.ReplyHeader header
  2: string checkpoint
  3: list<FileRecord> files
  // Last log entry that the checkpoint holds.
  4: i64 last_term
  5: i64 last_seq
}

struct ChunkRequest {
  1: string checkpoint
  2: string file
  3: i64 offset
  4: i32 length
}

// `checksum`: xxHash64 of `bytes` with seed 0.
struct ChunkReply {
  1: common.ReplyHeader header
  2: binary bytes
  3: i64 checksum
}

struct HoldReply {
  1: common.ReplyHeader header
  2: i64 last_term
  3: i64 last_seq
}

// `to_copy` at `to_node` holds all that is in `checkpoint`.
struct HandOverRequest {
  1: string checkpoint
  2: string to_copy
  3: string to_node
}

// -- several copies of one shard

// A message of one copy to another; `message` and `entries` are the replication's own encoding.
struct ParcelRecord {
  1: string collection
  2: i32 shard
  3: string from_copy
  4: string to_copy
  5: binary message
  6: list<binary> entries
}

// `index` of the parcel that was not taken, and why: quiver::ErrorCode and a sentence.
struct RefusedParcel {
  1: i32 index
  2: i32 code
  3: string message
}

struct DeliverReply {
  1: common.ReplyHeader header
  2: list<RefusedParcel> refused
}

// The files of a checkpoint, which the receiver fetches from the caller by read_chunk.
// `message` is the replication's own encoding.
struct SnapshotRequest {
  1: string checkpoint
  2: list<FileRecord> files
  3: string from_copy
  4: binary message
}

// -- copies that replicate

struct CopyNameRecord {
  1: string collection
  2: i32 shard
  3: string copy
}

// `condition`: quiver::thrift::CopyCondition.
struct CopyPositionRecord {
  1: i32 condition
  2: bool serves
  3: bool hears
  4: i64 seen
  5: i64 last_term
  6: i64 last_seq
  7: i64 applied
  // Of a snapshot; both or neither.
  8: optional i64 bytes_fetched
  9: optional i64 bytes_total
}

struct CopyPositionsReply {
  1: common.ReplyHeader header
  2: list<CopyPositionRecord> positions
}

// `kind`: quiver::thrift::PrimaryOrder::Kind.
struct PrimaryOrderRequest {
  1: i32 kind
  2: string copy
}

// `sums`: 8 bytes each, little-endian, of quiver::kContentBuckets buckets.
struct ContentSumsReply {
  1: common.ReplyHeader header
  2: i64 term
  3: i64 seq
  4: i64 points
  5: binary sums
}

// -- the node itself

struct JoinRequest {
  1: common.NodeRecord node
  2: string rpc_address
  3: string http_address
  4: string zone
  5: double weight
}

struct MemberRecord {
  1: string id
  2: string rpc_address
  3: string state
}

struct JoinReply {
  1: common.ReplyHeader header
  2: string cluster_id
  3: list<string> coordination
  4: list<MemberRecord> members
}

struct Heartbeat {
  1: string state
}

struct HeartbeatReply {
  1: common.ReplyHeader header
  2: common.NodeRecord node
  3: string state
}

struct ShardRecord {
  1: string collection
  2: i32 shard
  3: string state
  4: i64 points
  5: i64 unindexed
  6: i64 disk_bytes
  7: i64 term
  8: i64 last_seq
}

struct StatusReply {
  1: common.ReplyHeader header
  2: common.NodeRecord node
  3: string state
  4: i64 uptime_ms
  // Runnable threads a processor, averaged over a minute.
  5: double load
  6: i64 memory_bytes
  7: i64 disk_bytes_total
  8: i64 disk_bytes_free
  9: list<ShardRecord> shards
}

service NodeWire {
  HelloReply hello(1: HelloRequest request) throws (1: common.QuiverError error)
  // The caller's proof of the cluster token; ends the greeting.
  Ack prove(1: binary proof) throws (1: common.QuiverError error)

  SearchReply search(1: common.CallHeader header, 2: SearchRequest request)
    throws (1: common.QuiverError error)
  GetReply get(1: common.CallHeader header, 2: GetRequest request)
    throws (1: common.QuiverError error)
  ScrollReply scroll(1: common.CallHeader header, 2: ScrollRequest request)
    throws (1: common.QuiverError error)
  CountReply count(1: common.CallHeader header, 2: CountRequest request)
    throws (1: common.QuiverError error)
  FieldsReply fields(1: common.CallHeader header, 2: i32 limit)
    throws (1: common.QuiverError error)
  StatsReply stats(1: common.CallHeader header) throws (1: common.QuiverError error)

  WriteReply write(1: common.CallHeader header, 2: WriteRequest request)
    throws (1: common.QuiverError error)

  // `spec`: the JSON of a quiver::CollectionSpec.
  Ack create_shard(1: common.CallHeader header, 2: binary spec)
    throws (1: common.QuiverError error)
  Ack drop_shard(1: common.CallHeader header) throws (1: common.QuiverError error)

  CheckpointReply begin_checkpoint(1: common.CallHeader header)
    throws (1: common.QuiverError error)
  ChunkReply read_chunk(1: common.CallHeader header, 2: ChunkRequest request)
    throws (1: common.QuiverError error)
  Ack end_checkpoint(1: common.CallHeader header, 2: string checkpoint)
    throws (1: common.QuiverError error)
  HoldReply hold_writes(1: common.CallHeader header, 2: i64 hold_ms)
    throws (1: common.QuiverError error)
  Ack release_writes(1: common.CallHeader header) throws (1: common.QuiverError error)
  Ack hand_over(1: common.CallHeader header, 2: HandOverRequest request)
    throws (1: common.QuiverError error)

  DeliverReply deliver(1: common.CallHeader header, 2: list<ParcelRecord> parcels)
    throws (1: common.QuiverError error)
  Ack offer_snapshot(1: common.CallHeader header, 2: SnapshotRequest request)
    throws (1: common.QuiverError error)

  CopyPositionsReply copy_positions(1: common.CallHeader header, 2: list<CopyNameRecord> copies)
    throws (1: common.QuiverError error)
  Ack direct(1: common.CallHeader header, 2: PrimaryOrderRequest request)
    throws (1: common.QuiverError error)
  ContentSumsReply content_sums(1: common.CallHeader header)
    throws (1: common.QuiverError error)

  JoinReply join(1: common.CallHeader header, 2: JoinRequest request)
    throws (1: common.QuiverError error)
  HeartbeatReply ping(1: common.CallHeader header, 2: Heartbeat request)
    throws (1: common.QuiverError error)
  StatusReply status(1: common.CallHeader header) throws (1: common.QuiverError error)
}
