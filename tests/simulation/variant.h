#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cluster/replication/replication_options.h"
#include "cluster/replication/safety_rules.h"

namespace quiver::simulation {

/// A way to run the protocol: as it is, or with one thing wrong that the judges must find.
struct Variant {
  std::string_view name = "rules";
  std::string_view what = "the rules as they are";
  std::shared_ptr<const cluster::replication::SafetyRules> rules =
      std::make_shared<cluster::replication::SafetyRules>();
  /// Changes the options of a run.
  void (*adjust)(cluster::replication::ReplicationOptions&) = nullptr;

  // What the shell gets wrong.
  /// Tells that something is durable before it is.
  bool syncs_early = false;
  /// Takes an answer that leaves the outcome open for a failure.
  bool unknown_is_failed = false;
  /// Lets the next primary serve while it still may do so itself.
  bool resigns_early = false;
  /// Does not look for the request ids of earlier writes.
  bool forgets_requests = false;
  /// Promotes whoever has the longest log, in sync or not.
  bool promotes_anybody = false;
};

/// The one called "rules" first.
const std::vector<Variant>& variants();
/// Null if there is none of this name.
const Variant* find_variant(std::string_view name);

}  // namespace quiver::simulation
