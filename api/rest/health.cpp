#include "api/rest/health.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "api/rest/target.h"
#include "core/http_problem.h"
#include "core/json.h"

namespace quiver::api {
namespace {

constexpr int kOk = 200;
constexpr int kForbidden = 403;
constexpr int kMethodNotAllowed = 405;
constexpr int kUnavailable = 503;
constexpr std::string_view kLives = "/healthz";
constexpr std::string_view kReady = "/readyz";
constexpr std::string_view kMetrics = "/metrics";
constexpr std::array kPaths{kLives, kReady, kMetrics};
constexpr const char* kTextFormat = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse ok_response(const Json& body) {
  return {kOk, {{"content-type", "application/json"}, {"cache-control", "no-store"}}, body.dump()};
}

HttpResponse ready_response(const Readiness& ready, const std::string& version) {
  if (ready.reads_only.empty()) return ok_response({{"status", "ready"}, {"version", version}});
  return ok_response(
      {{"status", "reads_only"}, {"reason", ready.reads_only}, {"version", version}});
}

HttpResponse not_ready(const Error& error) {
  // What may pass, such as joining, says so; a damaged catalogue does not pass.
  if (error.code == ErrorCode::Unavailable) return problem(error);
  HttpResponse response = problem(kUnavailable, error.code, error.message);
  response.headers["retry-after"] = "1";
  return response;
}

std::optional<HttpResponse> refused(const HttpRequest& request, std::string_view path,
                                    const HttpAccess& access) {
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse response =
        problem(kMethodNotAllowed, ErrorCode::InvalidArgument, "allowed methods: GET, HEAD");
    response.headers["allow"] = "GET, HEAD";
    return response;
  }
  const auto origin = header(request, "origin");
  if (origin && !is_allowed_origin(*origin, access.allowed_origins)) {
    return problem(kForbidden, ErrorCode::PermissionDenied,
                   "pages of this origin may not ask; server.allowed_origins names those that may");
  }
  const auto fault = path == kMetrics ? refused_access(request, access) : std::nullopt;
  if (!fault) return std::nullopt;
  return problem(fault->status, ErrorCode::PermissionDenied,
                 fault->message + "; server.allowed_hosts names those that are");
}

}  // namespace

HealthEndpoint::HealthEndpoint(HealthReports reports, Submit submit, HttpAccess access)
    : reports_(std::move(reports)), submit_(std::move(submit)), access_(std::move(access)) {}

bool HealthEndpoint::serves(std::string_view path) noexcept {
  return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

void HealthEndpoint::handle(const HttpRequest& request,
                            const std::shared_ptr<HttpResponder>& responder) const {
  const std::string_view path = path_of(request.target);
  if (auto response = refused(request, path, access_)) {
    return responder->respond(*std::move(response));
  }
  if (path == kLives)
    return responder->respond(ok_response({{"status", "ok"}, {"version", reports_.version}}));
  std::function<void()> work;
  if (path == kReady) {
    work = [this, responder] {
      const auto ready = reports_.ready();
      responder->respond(ready.ok() ? ready_response(*ready, reports_.version)
                                    : not_ready(ready.error()));
    };
  } else {
    work = [this, responder] {
      responder->respond({kOk, {{"content-type", kTextFormat}}, reports_.metrics()});
    };
  }
  const Status submitted = submit_(std::move(work));
  if (!submitted.ok()) responder->respond(not_ready(submitted.error()));
}

}  // namespace quiver::api
