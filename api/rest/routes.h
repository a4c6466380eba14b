#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/registry.h"

namespace quiver::api {

/// What stands before the path of every operation.
inline constexpr std::string_view kApiPrefix = "/api";

/// A place that an operation is offered at.
struct RestRoute {
  const service::Operation* operation = nullptr;
  std::string method;
  /// With kApiPrefix; names of fields in braces.
  std::string path;
  /// The path cut at its slashes; those of fields have their braces.
  std::vector<std::string> segments;

  /// The names of the fields in the path.
  std::vector<std::string> path_fields() const;
};

/// Whether it takes its fields from a body; else they are query parameters.
bool takes_body(std::string_view method) noexcept;

/// Which operation a request is for.
///
/// Threads: any; unchanged after construction. Borrows the operations.
class Routes {
 public:
  /// Of all operations that surfaces show.
  explicit Routes(const service::Registry& registry);

  struct Match {
    /// Null: there is none.
    const RestRoute* route = nullptr;
    /// Fields and their values, as the path has them.
    std::vector<std::pair<std::string, std::string>> fields = {};
    /// Methods that there are for this path, in order.
    std::vector<std::string> methods = {};
  };
  /// `segments`: of the whole path, decoded. A name that is written out wins over a field.
  Match find(std::string_view method, const std::vector<std::string>& segments) const;

  const std::vector<RestRoute>& all() const noexcept { return routes_; }

 private:
  /// Those with names written out before those with fields in the same place.
  std::vector<RestRoute> routes_;
};

}  // namespace quiver::api
