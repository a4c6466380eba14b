#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/collection.h"
#include "core/clock.h"
#include "storage/options.h"

namespace quiver::cluster {

/// The collections of this cluster: finds, makes and drops them.
///
/// Opens its files at the first call, not before, and a shard at its first use.
///
/// Threads: any.
class Collections {
 public:
  /// `clock` must outlive it. Touches no file.
  Collections(std::filesystem::path data_dir, const storage::Options& options, const Clock& clock);
  ~Collections();
  Collections(const Collections&) = delete;
  Collections& operator=(const Collections&) = delete;

  /// Errors: NotFound naming what is near and which collections there are.
  Result<std::shared_ptr<Collection>> find(std::string_view name);

  struct Created {
    std::shared_ptr<Collection> collection;
    /// It was there already, with the same settings.
    bool existed = false;
  };
  /// `spec.id` and `created_at_ms` are set here.
  ///
  /// Errors: InvalidArgument from the spec; AlreadyExists if it is there with other settings,
  /// naming the difference; FailedPrecondition for more copies than there are nodes.
  Result<Created> create(const CallContext& call, CollectionSpec spec);

  /// Removes the collection and its data; the number of points that went with it. A retry of the
  /// same call.request_id answers the same. Errors: NotFound.
  Result<std::uint64_t> drop(const CallContext& call, std::string_view name);

  /// In order of name.
  Result<std::vector<CollectionSpec>> list();

  /// Finishes background work and writes index snapshots, so that the next start is quick.
  void close();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace quiver::cluster
