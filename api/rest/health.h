#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/http.h"
#include "core/http_access.h"
#include "core/result.h"

namespace quiver::api {

/// Hands work to another thread. Errors: ResourceExhausted when too much waits already.
using Submit = std::function<Status(std::function<void()> work)>;

/// How far a server can serve.
struct Readiness {
  /// Why it serves reads only; empty: it serves all.
  std::string reads_only;
};

/// What a server says of itself. Both are called on `submit`'s threads and may wait.
struct HealthReports {
  std::string version;
  /// Why it cannot serve, if it cannot.
  std::function<Result<Readiness>()> ready;
  /// Prometheus' text format.
  std::function<std::string()> metrics;
};

/// GET /healthz: this process lives, which is all that an answer needs. GET /readyz: it can serve,
/// also if that is reads only, or 503 with the reason. GET /metrics.
///
/// The first two are for probes, which name a server as they like: anyone may ask, but no page of a
/// foreign origin. /metrics tells more, and asks for an allowed Host.
///
/// Threads: any. `submit` and this must outlive all work.
class HealthEndpoint {
 public:
  HealthEndpoint(HealthReports reports, Submit submit, HttpAccess access);

  static bool serves(std::string_view path) noexcept;

  /// Answers a request for one of its paths, now or later. Does not block.
  void handle(const HttpRequest& request, const std::shared_ptr<HttpResponder>& responder) const;

 private:
  const HealthReports reports_;
  const Submit submit_;
  const HttpAccess access_;
};

}  // namespace quiver::api
