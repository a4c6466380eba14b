#pragma once

#include "cluster/collections.h"
#include "core/clock.h"
#include "embedding/providers.h"

namespace quiver::service {

/// What operations may touch. Borrows; app owns all of it.
struct Engine {
  cluster::Collections& collections;
  const embedding::Providers& providers;
  const Clock& clock;
};

}  // namespace quiver::service
