#pragma once

#include <string>
#include <string_view>

#include "cluster/replication/events.h"
#include "core/result.h"

/// The bytes in which the copies of a shard talk to each other. Whoever reads them has checked
/// neither length nor sense before.
namespace quiver::cluster::replication {

std::string encode_message(const Message& message);
/// Errors: InvalidArgument unless `bytes` came from encode_message(); FailedPrecondition for those
/// of another version.
Result<Message> decode_message(std::string_view bytes);

/// What goes with the files of a snapshot: all of SnapshotReceived but its sender.
std::string encode_snapshot(const SnapshotReceived& snapshot);
/// Errors: as decode_message(); also if its terms do not rise.
Result<SnapshotReceived> decode_snapshot(std::string_view bytes);

}  // namespace quiver::cluster::replication
