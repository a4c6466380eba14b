#include "core/call_context.h"

namespace quiver {

Status CallContext::check() const {
  if (cancel.cancelled()) return Error{ErrorCode::DeadlineExceeded, "the caller cancelled"};
  if (deadline && std::chrono::steady_clock::now() > *deadline) {
    return Error{ErrorCode::DeadlineExceeded, "out of time"};
  }
  return Done{};
}

}  // namespace quiver
