#pragma once

#include <cstddef>

#include "cluster/coordination/store.h"

namespace quiver::cluster {

struct Migrated {
  std::size_t copied = 0;
  /// Were there already, from an attempt before.
  std::size_t present = 0;
};

/// Copies every key of `from` that has no lease into `to`, and looks that all are there. Overwrites
/// nothing; done again after a failure, it goes on. Whose truth counts is for the caller to change,
/// afterwards.
///
/// Nobody may write to `from` meanwhile. `to` may hold other keys.
///
/// Errors: FailedPrecondition if `to` holds another value for a key or `from` changed meanwhile;
/// Unavailable, DeadlineExceeded: some keys may have been copied.
Result<Migrated> migrate(const CallContext& call, CoordinationStore& from, CoordinationStore& to);

}  // namespace quiver::cluster
