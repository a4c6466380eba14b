#include "service/registry.h"

#include <algorithm>
#include <utility>

namespace quiver::service {

Registry::Registry(std::vector<Operation> operations) : operations_(std::move(operations)) {
  std::sort(operations_.begin(), operations_.end(),
            [](const Operation& a, const Operation& b) { return a.name < b.name; });
}

const Operation* Registry::find(std::string_view name) const noexcept {
  const auto found = std::find_if(operations_.begin(), operations_.end(),
                                  [&](const Operation& o) { return o.name == name; });
  return found == operations_.end() ? nullptr : &*found;
}

}  // namespace quiver::service
