#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "app/http_head.h"
#include "app/lanes.h"
#include "core/call_context.h"
#include "core/http.h"

namespace quiver::app::test {

using BlockingHandler = std::function<HttpResponse(const HttpRequest&, const CancelToken& gone)>;

/// A handler that may wait: each request is carried out on the lane, which must outlive it.
inline HttpHandler on_lane(Lane& lane, BlockingHandler handle) {
  return [&lane, handle = std::move(handle)](HttpRequest request,
                                             const std::shared_ptr<HttpResponder>& responder) {
    const CancelToken gone = CancelToken::make();
    responder->on_gone([gone] { gone.cancel(); });
    auto held = std::make_shared<const HttpRequest>(std::move(request));
    const Status submitted = lane.submit([handle, held, responder, gone] {
      try {
        responder->respond(handle(*held, gone));
      } catch (const std::exception&) {
        // Letting go of the responder is the reply.
        return;
      }
    });
    if (!submitted.ok()) responder->respond(problem(submitted.error()));
  };
}

}  // namespace quiver::app::test
