// What every call between nodes has in common. Field numbers are wire format: append, never reuse.
// Unsigned 64-bit numbers travel as i64 with the same bits. A vector is `binary`: IEEE 754 float32,
// little-endian, `dimension` of them; several vectors are one binary, one behind the other.

namespace cpp quiver.wire

// A node as it presents itself.
struct NodeRecord {
  1: string id
  2: i64 incarnation
  3: string version
}

// First field of every call behind the greeting. `collection` and `shard` are set where a shard is
// meant.
struct CallHeader {
  1: string cluster
  2: string caller
  // Milliseconds that the caller will still wait.
  3: i64 deadline_ms
  4: i64 epoch
  5: i64 term
  6: optional string collection
  7: optional i32 shard
  // 16 bytes; absent: the call is not repeated.
  8: optional binary request_id
  9: optional string trace_id
  10: optional string copy
  // quiver::ReadLevel; absent: linearizable.
  11: optional i32 read_level
  // Seq of the last write that a session read must see.
  12: optional i64 read_token
}

// First field of every reply.
struct ReplyHeader {
  1: i64 epoch
  2: i64 term
  // Seq at which a write stands in the log of a shard with several copies, at least.
  3: optional i64 at
}

exception QuiverError {
  // quiver::ErrorCode; one that the reader does not know reads as Internal.
  1: i32 code
  2: string message
  3: bool retryable
  4: i64 epoch
  5: i64 term
  // Id of the node that should be asked instead; empty: not known.
  6: string primary
  7: i32 retry_after_ms
}

struct Projection {
  1: bool payload
  2: bool text
  3: bool vector
}

// A point but for its vector. `id` is quiver::PointId::key(), `payload` a JSON object.
struct PointRecord {
  1: binary id
  2: optional binary payload
  3: optional binary text
  4: i64 created_at_ms
  5: i64 expires_at_ms
}

// `dimension` 0: without vectors.
struct PointBatch {
  1: list<PointRecord> points
  2: i32 dimension
  3: binary vectors
}
