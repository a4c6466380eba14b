#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cluster/collection.h"

namespace quiver::cluster {

/// The collections of this cluster: finds, makes and drops them.
///
/// Threads: any.
class Collections {
 public:
  virtual ~Collections() = default;

  /// Errors: NotFound naming what is near and which collections there are.
  virtual Result<std::shared_ptr<Collection>> find(std::string_view name) = 0;

  struct Created {
    std::shared_ptr<Collection> collection;
    /// It was there already, with the same settings.
    bool existed = false;
  };
  /// `spec.id` and `created_at_ms` are set here.
  ///
  /// Errors: InvalidArgument from the spec; AlreadyExists if it is there with other settings,
  /// naming the difference; FailedPrecondition for more copies than there are nodes.
  virtual Result<Created> create(const CallContext& call, CollectionSpec spec) = 0;

  /// Removes the collection and its data; the number of points that went with it, nothing if they
  /// could not be counted soon: that holds nobody up. A retry of the same call.request_id answers
  /// the same. Errors: NotFound.
  virtual Result<std::optional<std::uint64_t>> drop(const CallContext& call,
                                                    std::string_view name) = 0;

  /// In order of name.
  virtual Result<std::vector<CollectionSpec>> list() = 0;
};

}  // namespace quiver::cluster
