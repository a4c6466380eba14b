#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cluster/collections.h"
#include "core/clock.h"
#include "embedding/provider.h"
#include "service/changes.h"

namespace quiver::service {

/// What operations may touch. Borrows; app owns all of it.
struct Engine {
  cluster::Collections& collections;
  /// The embedder of that name. Errors: InvalidArgument naming the embedders there are.
  std::function<Result<embedding::Provider*>(std::string_view name)> find_embedder;
  /// What a collection gets when the request names no embedder and no dimension.
  std::string default_embedder;
  const Clock& clock;
  /// Where an operation tells what it has changed.
  ChangeHub changes = {};
};

}  // namespace quiver::service
