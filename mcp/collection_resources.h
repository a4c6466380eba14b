#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mcp/hub.h"
#include "mcp/resources.h"
#include "service/executor.h"

namespace quiver::mcp {

/// The collections of a server and what they hold, as resources; see CollectionUri. Points are read
/// by template alone: there are too many to list.
///
/// What clients subscribe to is told of by `hub` when the executor tells of a change.
class CollectionResources final : public Resources {
 public:
  /// Borrows the executor.
  CollectionResources(service::Executor& executor, const std::shared_ptr<Hub>& hub);

  Result<ResourcePage> list(Call& call, const std::optional<std::string>& cursor) override;
  Json templates() const override;
  std::optional<Outcome<ResourceContents>> read(Call& call, const std::string& uri) override;
  bool can_subscribe(const std::string& uri) const override;
  void follow() override { executor_.follow(); }

 private:
  Result<Json> read_all(const CallContext& context);
  Result<Json> read_point(const CallContext& context, const std::string& collection,
                          const Json& id);

  service::Executor& executor_;
  service::ChangeSubscription changes_;
};

/// Publishes what a change of the data means for these resources.
void publish_change(const service::Change& change, Hub& hub);

}  // namespace quiver::mcp
