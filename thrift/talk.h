#pragma once

#include <functional>
#include <utility>

#include "thrift/connection.h"

namespace quiver::thrift {

/// What one call says over a connection: sends the request under the given header and keeps the
/// answer. Throws as the generated client does.
class Talk {
 public:
  using Function = std::function<void(Connection::Wire&, const wire::CallHeader&)>;

  explicit Talk(Function function) : function_(std::move(function)) {}
  void operator()(Connection::Wire& wire, const wire::CallHeader& header) const {
    function_(wire, header);
  }

 private:
  const Function function_;
};

}  // namespace quiver::thrift
