#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace quiver {

/// What a read of a shard with several copies must have seen. Numbered because they travel.
enum class ReadLevel : std::uint8_t {
  /// All writes that were acknowledged before it began.
  Linearizable = 1,
  /// The writes that the reader's token speaks of.
  Session = 2,
  /// Any state that was current a short time ago.
  Eventual = 3,
};

/// "linearizable", "session" or "eventual".
std::string_view name(ReadLevel level) noexcept;
/// Errors: InvalidArgument naming the three.
Result<ReadLevel> read_level_from_name(std::string_view name);

/// At which level to read.
struct ReadTerms {
  ReadLevel level = ReadLevel::Linearizable;
  /// Session: where in the shard's log the last write stands that must be seen.
  Seq token{0};

  bool operator==(const ReadTerms&) const = default;
};

}  // namespace quiver
