#pragma once

#include <cstdint>
#include <optional>

#include "core/mutation.h"
#include "core/result.h"
#include "storage/point_store.h"
#include "storage/rocks.h"

namespace quiver::storage {

/// What the newest log entries were: their request ids with the results, so that a retry gets its
/// first answer, and their sizes, so that the log can be cut to a number of bytes.
///
/// Part of the state: changes travel in a StateBatch.
///
/// Threads: any.
class RequestTable {
 public:
  /// `rocks` must outlive the table.
  explicit RequestTable(const Rocks& rocks) : rocks_(rocks) {}

  struct Request {
    LogPosition position;
    MutationResult result;
  };
  /// Absent for an unknown id and for the empty one.
  Result<std::optional<Request>> find(const RequestId& id) const;

  /// `log_bytes` is StateMark::log_bytes with this entry included. An empty `id` finds nothing.
  static void put(StateBatch& batch, const RequestId& id, const Request& request,
                  std::uint64_t log_bytes);
  /// Forgets the entries `first` to `last`.
  Status erase(StateBatch& batch, Seq first, Seq last) const;

  /// Where the kept part of the log begins.
  struct Cut {
    Seq first{1};
    /// StateMark::log_bytes when the entry before it had been applied.
    std::uint64_t bytes_before = 0;
  };
  /// The longest part of the log that lies behind `first`, ends with `last` and takes at most
  /// `bytes`; the entry `last` alone if even that takes more. first < last.
  Result<Cut> cut_to_bytes(Seq first, Seq last, std::uint64_t bytes) const;
  /// The part from `first` on; `first` is not the oldest entry kept here.
  Result<Cut> cut_at(Seq first) const;

 private:
  struct Entry {
    RequestId request_id;
    std::uint64_t log_bytes = 0;
  };
  Result<Entry> entry(Seq seq) const;

  const Rocks& rocks_;
};

}  // namespace quiver::storage
