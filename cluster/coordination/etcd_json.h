#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordination/store.h"
#include "core/json.h"
#include "core/result.h"

// Requests and replies of etcd's v3 JSON gateway. Keys and values travel in base64, 64-bit integers
// as strings, zero values not at all; and a field that the gateway does not know is ignored in
// silence, so that nothing outside this file spells one. Pure.
//
// Source: etcd 3.4 documentation, "gRPC gateway" and rpc.proto.

namespace quiver::cluster::etcd {

/// The key after the last that begins with `prefix`, as etcd writes the end of a range.
std::string prefix_end(std::string_view prefix);

Json get_request(std::string_view key);
/// All keys from `from` below `prefix`, at most `limit` of them, as of `revision`; 0: now.
Json range_request(std::string_view prefix, std::string_view from, std::size_t limit,
                   Revision revision);
/// `root` goes in front of every key.
Json txn_request(std::string_view root, const std::vector<Compare>& compares,
                 const std::vector<Put>& puts);
Json watch_request(std::string_view prefix, Revision after);
Json lease_request(LeaseId lease);
Json grant_request(std::chrono::seconds ttl);

struct Range {
  Listing listing;
  /// There are keys after these.
  bool more = false;
};
/// Keys without the first `root` bytes.
///
/// Errors, here and below: Unavailable for what is not a reply of etcd.
Result<Range> parse_range(const Json& reply, std::size_t root);
Result<TxnResult> parse_txn(const Json& reply);

struct Granted {
  LeaseId id{0};
  /// 0: a keepalive says so of a lease that does not exist, and nothing else tells it.
  std::chrono::seconds ttl{0};
};
Result<Granted> parse_granted(const Json& reply);
Result<Granted> parse_keepalive(const Json& reply);

/// One line of a watch.
struct WatchLine {
  /// The first: the watch exists, and the store is at `revision`.
  bool created = false;
  /// The last.
  bool canceled = false;
  /// Of a watch that was canceled because its start was compacted away; else 0.
  Revision compacted{0};
  Revision revision{0};
  std::vector<Change> changes;
};
/// Errors: also Unavailable for a line that reports an error.
Result<WatchLine> parse_watch_line(std::string_view line, std::size_t root);

/// One line of a snapshot.
struct SnapshotLine {
  std::string bytes;
  /// Bytes of lines to come.
  std::uint64_t remaining = 0;
};
Result<SnapshotLine> parse_snapshot_line(std::string_view line);

/// What a reply with another status than 200 says.
struct Refusal {
  /// As gRPC numbers them; 0 if the reply is not etcd's.
  int code = 0;
  std::string message;
};
Refusal parse_refusal(std::string_view body);

}  // namespace quiver::cluster::etcd
