#pragma once

#include <string>
#include <string_view>

#include "core/mutation.h"
#include "core/result.h"

namespace quiver::storage {

/// Most bytes of one encoded log entry: bounds what a write costs in memory on every copy.
inline constexpr std::size_t kLogEntryBytesMax = std::size_t{64} << 20;

/// The bytes of a mutation, as docs/storage_format.md lays them out.
///
/// Errors: InvalidArgument if a payload holds text that is not UTF-8.
Result<std::string> encode_mutation(const Mutation& mutation);
/// Errors: Corruption unless `bytes` came from encode_mutation().
Result<Mutation> decode_mutation(std::string_view bytes);

/// An entry as the log stores it: version, position, request id, mutation and a checksum over all.
///
/// Errors: as encode_mutation(); InvalidArgument above kLogEntryBytesMax.
Result<std::string> encode_log_entry(const LogEntry& entry);
/// The same of a mutation that encode_mutation() made.
Result<std::string> encode_log_entry(LogPosition position, const RequestId& request,
                                     std::string_view mutation);
/// Errors: Corruption if the checksum or the layout is wrong, FailedPrecondition for a newer
/// version; the message names `expected`, the position under which the bytes were found.
Result<LogEntry> decode_log_entry(Seq expected, std::string_view bytes);
/// Only the term, after a check of the whole entry.
Result<Term> log_entry_term(Seq expected, std::string_view bytes);

/// An entry in the bytes that the log stores, which are the same on every copy.
struct EncodedEntry {
  Term term{0};
  Seq seq{0};
  RequestId request_id;
  std::string bytes;
};
/// After a check of the whole entry. Errors: as decode_log_entry().
Result<EncodedEntry> encoded_entry(Seq expected, std::string bytes);

}  // namespace quiver::storage
