#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/rest/health.h"
#include "api/rest/routes.h"
#include "api/rest/used_keys.h"
#include "core/http.h"
#include "core/http_access.h"
#include "core/in_flight.h"
#include "core/json_reader.h"
#include "core/limits.h"
#include "service/executor.h"
#include "service/registry.h"

namespace quiver::api {

struct RestOptions {
  HttpAccess access = {};
  std::size_t body_bytes_max = limits::kMessageBytesMax;
  /// How long a call may take before it is told to give up; a client may ask for less.
  std::chrono::milliseconds call_timeout{60'000};
  std::string version;
  /// Memory of the JSON of all requests under way, estimated; often shared with other surfaces.
  std::shared_ptr<InFlight> json_memory = std::make_shared<InFlight>(2 * kJsonMemoryMax);
};

/// The operations as JSON over HTTP, each at its route below kApiPrefix: what differs between them
/// comes from their descriptions alone.
///
/// A client that disconnects cancels its call.
///
/// Threads: any. Borrows both registries and the executor, which, with `submit` and this, must
/// outlive all work.
class RestEndpoint {
 public:
  /// `all` decides which routes there are, `shown` which of them are served: the others answer
  /// which setting switches them off.
  RestEndpoint(const service::Registry& all, const service::Registry& shown,
               service::Executor& executor, Submit submit, RestOptions options);

  static bool serves(std::string_view path) noexcept;

  /// The route that a request is for, with names in braces; empty: none.
  std::string route_of(const HttpRequest& request) const;

  /// Answers a request for a path that it serves, now or later. Does not block.
  void handle(HttpRequest request, std::shared_ptr<HttpResponder> responder) const;

 private:
  struct Call;

  /// Fills in the rest of a call that has its request; the response if nothing has to be carried
  /// out for it.
  std::optional<HttpResponse> answer_now(Call& call) const;
  void run(Call& call) const;
  HttpResponse carry_out(Call& call) const;

  const service::Registry& shown_;
  service::Executor& executor_;
  const Submit submit_;
  const RestOptions options_;
  const Routes routes_;
  const std::unique_ptr<UsedKeys> used_keys_ = std::make_unique<UsedKeys>();
  /// The text of openapi.json.
  const std::string description_;
};

}  // namespace quiver::api
