#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound of the system, in one place, each with its reason.
namespace quiver::limits {

/// Largest dimension of a vector: the largest that common embedding models produce.
inline constexpr std::size_t kDimensionMax = 4096;
/// A string id fits a RocksDB key with room to spare.
inline constexpr std::size_t kPointIdBytesMax = 512;
/// Payload and text of one point together, as compact JSON.
inline constexpr std::size_t kPayloadBytesMax = std::size_t{1} << 20;
/// One text to embed: about 80 windows of the built-in model, a few seconds of one core.
inline constexpr std::size_t kTextBytesMax = std::size_t{64} << 10;
/// A query is a question or a phrase.
inline constexpr std::size_t kQueryBytesMax = 8192;
/// Points of one write: bounds the memory and the latency of one log entry.
inline constexpr std::size_t kBatchPointsMax = 1000;
/// Hits of one search, in the core. Tools set lower bounds of their own.
inline constexpr std::size_t kSearchHitsMax = 10'000;
/// Nesting of any JSON that a client sends. Deeper is refused before it is built.
inline constexpr std::size_t kJsonDepthMax = 64;
/// Conditions of one filter: more is a list that belongs into $in.
inline constexpr std::size_t kFilterNodesMax = 1024;
/// Operands of one $in.
inline constexpr std::size_t kFilterListMax = 10'000;
/// A dotted path in a filter. Keys of payloads may be longer; they cannot be filtered by.
inline constexpr std::size_t kFilterPathBytesMax = 512;
inline constexpr std::size_t kCollectionNameBytesMax = 64;
inline constexpr std::size_t kDescriptionBytesMax = 1024;
/// One JSON-RPC message: a full batch of 1,000 vectors of 1,536 floats as text is about 20 MB.
inline constexpr std::size_t kMessageBytesMax = std::size_t{64} << 20;
inline constexpr std::uint32_t kShardsMax = 1024;

}  // namespace quiver::limits
