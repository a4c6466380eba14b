#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace quiver::cluster {

/// Counts the changes of a coordination store; every change of a key gives it a new one.
/// 0: the key does not exist.
enum class Revision : std::uint64_t {};

struct Entry {
  std::string key;
  std::string value;
  Revision revision{0};
};

/// Holds if the key is at this revision.
struct Compare {
  std::string key;
  Revision revision{0};
};

struct Put {
  std::string key;
  /// Absent: remove the key.
  std::optional<std::string> value;
};

enum class TxnOutcome : std::uint8_t {
  Done,
  /// A compare did not hold and nothing was written: read again.
  Conflict,
};

/// Where the truth about the cluster lives: what collections there are, and who holds what.
///
/// Only txn() decides anything. What get() and list() return may be outdated when it is looked at.
///
/// Threads: any.
class CoordinationStore {
 public:
  virtual ~CoordinationStore() = default;

  virtual Result<std::optional<Entry>> get(std::string_view key) = 0;
  /// In order of key.
  virtual Result<std::vector<Entry>> list(std::string_view prefix) = 0;
  /// Writes all of `puts` if all of `compares` hold; durable on return.
  ///
  /// Errors: Unavailable, ResourceExhausted: whether it was written is unknown.
  virtual Result<TxnOutcome> txn(const std::vector<Compare>& compares,
                                 const std::vector<Put>& puts) = 0;
};

}  // namespace quiver::cluster
