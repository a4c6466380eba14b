#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/admin/cluster_admin.h"
#include "cluster/collections.h"
#include "core/clock.h"
#include "embedding/provider.h"
#include "service/changes.h"

namespace quiver::service {

/// What a reply may cost unless a person decides otherwise, and the bounds of that decision.
/// Clients cut off or refuse results above 25,000 tokens, and a token has 2 bytes at the very
/// least.
inline constexpr std::size_t kReplyBytes = std::size_t{32} << 10;
inline constexpr std::size_t kReplyBytesMin = std::size_t{4} << 10;
inline constexpr std::size_t kReplyBytesMax = std::size_t{48} << 10;
/// Beyond this, which only a reply that repeats many long ids comes to, nothing is sent.
inline constexpr std::size_t kResultBytesMax = kReplyBytesMax + (std::size_t{2} << 10);

/// What operations may touch. Borrows; app owns all of it.
struct Engine {
  cluster::Collections& collections;
  /// The embedder of that name. Errors: InvalidArgument naming the embedders there are.
  std::function<Result<embedding::Provider*>(std::string_view name)> find_embedder;
  /// What a collection gets when the request names no embedder and no dimension.
  std::string default_embedder;
  const Clock& clock;
  /// Bytes of JSON that one reply may take: see kReplyBytes.
  std::size_t reply_bytes = kReplyBytes;
  /// Where an operation tells what it has changed.
  ChangeHub changes = {};
  /// Null: nothing can be asked about the cluster.
  cluster::ClusterAdmin* cluster = nullptr;
};

}  // namespace quiver::service
