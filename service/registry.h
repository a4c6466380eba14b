#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "service/executor.h"
#include "service/operation.h"

namespace quiver::service {

/// The operations of a server, in order of name.
///
/// Threads: any; unchanged after construction.
class Registry {
 public:
  explicit Registry(std::vector<Operation> operations);

  const std::vector<Operation>& operations() const noexcept { return operations_; }
  /// Null if there is none of that name.
  const Operation* find(std::string_view name) const noexcept;

 private:
  std::vector<Operation> operations_;
};

/// All operations of the product: adding one is a pair of files, a line here and a test.
Registry catalogue();

/// Carries out operations in this process. Borrows both.
class LocalExecutor final : public Executor {
 public:
  LocalExecutor(const Registry& registry, Engine& engine) : registry_(registry), engine_(engine) {}

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;
  ChangeSubscription subscribe(ChangeListener listener) override {
    return engine_.changes.subscribe(std::move(listener));
  }

 private:
  const Registry& registry_;
  Engine& engine_;
};

}  // namespace quiver::service
