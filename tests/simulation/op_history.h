#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/mutation.h"
#include "tests/simulation/entries.h"

namespace quiver::simulation {

/// What one client asked and was told. Knows nothing of copies, terms or primaries.
struct ClientOp {
  enum class Kind : std::uint8_t { Write, Erase, Newest, Session, Eventual };

  Kind kind = Kind::Write;
  std::uint32_t client = 0;
  std::uint8_t key = 0;
  /// Write, Erase: its own number. Reads: that of the write that was seen; 0: none ever.
  WriteId write = 0;
  /// Reads: whether the key was absent.
  bool absent = false;
  /// Of the write itself or of what was seen; none: the answer did not come, or did not tell.
  std::optional<LogPosition> version;
  std::int64_t began = 0;
  /// None: no answer, or one that leaves the outcome open.
  std::optional<std::int64_t> ended;
};

/// Whether one register for each key, changed at one moment between begin and end of each write,
/// explains all that was told; else what contradicts it.
///
/// Every answer names a version, and versions of a key are totally ordered, so it is enough that
/// whatever had ended before an operation began is not newer than what that operation saw.
std::optional<std::string> contradiction(const std::vector<ClientOp>& ops);

}  // namespace quiver::simulation
