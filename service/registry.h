#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/executor.h"
#include "service/operation.h"

namespace quiver::service {

/// An operation that a setting takes away.
struct Hidden {
  std::string name;
  /// Such as "mcp.read_only is true".
  std::string reason;
  /// Not only unseen: no surface may carry it out.
  bool is_refused = false;
};

/// The operations of a server, in order of name.
///
/// Threads: any; unchanged after construction.
class Registry {
 public:
  explicit Registry(std::vector<Operation> operations, std::vector<Hidden> hidden = {});

  /// Those that surfaces show.
  const std::vector<Operation>& operations() const noexcept { return operations_; }
  /// Null if none of that name is shown.
  const Operation* find(std::string_view name) const noexcept;

  /// Those that surfaces only use themselves.
  const std::vector<Operation>& internal_operations() const noexcept { return internal_; }
  const Operation* find_internal(std::string_view name) const noexcept;

  /// Null if no setting takes it away.
  const Hidden* hidden(std::string_view name) const noexcept;

  /// For a name that find() does not know: which setting hides it, or what is near.
  ///
  /// `kind`: what the reader calls operations, such as "tool".
  std::string unknown(std::string_view kind, std::string_view name) const;

 private:
  std::vector<Operation> operations_;
  std::vector<Operation> internal_;
  std::vector<Hidden> hidden_;
};

/// All operations of the product, also those not shown: adding one is a pair of files, a line here
/// and a test.
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
