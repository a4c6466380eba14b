#pragma once

#include <filesystem>
#include <string>

#include "cluster/coordination/migrate.h"
#include "cluster/coordination/store.h"
#include "cluster/view/records.h"
#include "core/clock.h"

namespace quiver::cluster {

/// The cluster that `store` is of; founds it if nobody has. `expected_id` is its id, unless empty:
/// then it has been founded before.
///
/// Errors: FailedPrecondition if it is another one, its layout is not known, or it should have been
/// founded and is not; those of CoordinationStore.
Result<ClusterRecord> found_cluster(const CallContext& call, CoordinationStore& store,
                                    const Clock& clock, const std::string& name,
                                    const std::string& expected_id);

/// Makes the catalogue of a server that is alone, in its data directory, that of a cluster: copies
/// it into `store`, and then lets the directory belong to the cluster `name`. The server itself
/// enters the cluster when it is next started. A crash in between leaves a directory that nobody
/// serves until this was done again; of one that belongs to that cluster already, nothing.
///
/// The process must own the directory.
///
/// Errors: FailedPrecondition if the directory is of another cluster or a copy of a member's, or
/// `store` has a collection of the same name; those of CoordinationStore.
Result<Migrated> move_in(const CallContext& call, const std::filesystem::path& data_dir,
                         CoordinationStore& store, const Clock& clock, const std::string& name);

}  // namespace quiver::cluster
