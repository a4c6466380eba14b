#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Bounds of what travels between nodes, each with its reason.
namespace quiver::thrift {

/// What the two ends of a connection must have in common. Raised when an older node could
/// misunderstand a newer one; a field that may be missing does not raise it.
inline constexpr std::int32_t kProtocolVersion = 1;

/// Bytes of a request or reply at which its sender stops adding to it: small enough that a call
/// holds up others on no connection for long.
inline constexpr std::size_t kMessageBytesAim = std::size_t{4} << 20;
/// Largest frame that is read or written: a message of kMessageBytesAim that one more point, with
/// the largest payload and vector, has been added to, and room for the rest.
inline constexpr std::size_t kFrameBytesMax = std::size_t{16} << 20;
/// Largest frame before the peer has shown who it is.
inline constexpr std::size_t kGreetingFrameBytesMax = std::size_t{16} << 10;
/// Elements of one list: points and ids of a call, hits of a search.
inline constexpr std::size_t kListMax = 20'000;
/// Ids of one get; more are asked for in turn.
inline constexpr std::size_t kIdsMax = 10'000;
/// A filter as JSON text: lists of operands that one node takes must reach the others too.
inline constexpr std::size_t kFilterBytesMax = std::size_t{8} << 20;
/// Bytes of one chunk of a file.
inline constexpr std::size_t kChunkBytesMax = std::size_t{1} << 20;
/// Files of one checkpoint: a RocksDB directory of some 100 GB.
inline constexpr std::size_t kCheckpointFilesMax = 16'384;
/// Parcels of one call.
inline constexpr std::size_t kParcelsMax = 4096;
/// Entries of all parcels of one call.
inline constexpr std::size_t kParcelEntriesMax = 65'536;
/// What one parcel says beside its entries: the terms of a log that had 65,000 primaries.
inline constexpr std::size_t kParcelMessageBytesMax = (std::size_t{1} << 20) + 4096;
/// Copies that one call asks about; more are asked about in turn.
inline constexpr std::size_t kCopiesMax = 4096;
/// Fields of one collection that a call may ask for.
inline constexpr std::size_t kFieldsMax = 10'000;
/// Names, ids, addresses, states, versions.
inline constexpr std::size_t kNameBytesMax = 256;
/// One message of an error, cut behind it.
inline constexpr std::size_t kErrorBytesMax = 4096;
/// Members, addresses or shards that a node tells of.
inline constexpr std::size_t kMembersMax = 4096;
/// Longest that a call may wait, and the shortest: zero is no time at all.
inline constexpr std::chrono::milliseconds kCallTimeMax{3'600'000};
/// Longest that one call holds back the writes of a shard.
inline constexpr std::chrono::milliseconds kHoldTimeMax{60'000};

}  // namespace quiver::thrift
