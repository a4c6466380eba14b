#include "app/metered.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace quiver::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr MetricName kOperations{"quiver_operations_total", "Operations carried out, by outcome."};
constexpr MetricName kOperationTime{"quiver_operation_seconds", "How long operations took."};
constexpr MetricName kRequests{"quiver_http_requests_total", "HTTP requests answered."};
constexpr MetricName kRequestTime{
    "quiver_http_request_seconds",
    "From a whole HTTP request to its response, or to the beginning of "
    "its stream."};

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

/// Clients choose methods; there are as many as they like.
std::string known_method(const std::string& method) {
  constexpr std::array<std::string_view, 7> kKnown{"GET",   "HEAD",   "POST",   "PUT",
                                                   "PATCH", "DELETE", "OPTIONS"};
  return std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end() ? method : "other";
}

class MeteredResponder final : public HttpResponder {
 public:
  MeteredResponder(std::shared_ptr<HttpResponder> inner, std::string method, std::string route,
                   MetricSink& metrics)
      : inner_(std::move(inner)),
        method_(std::move(method)),
        route_(std::move(route)),
        metrics_(metrics) {}

  void respond(HttpResponse response) override {
    report(response.status);
    inner_->respond(std::move(response));
  }
  std::shared_ptr<HttpStream> stream(HttpResponse head) override {
    report(head.status);
    return inner_->stream(std::move(head));
  }
  void on_gone(std::function<void()> gone) override { inner_->on_gone(std::move(gone)); }

 private:
  void report(int status) {
    metrics_.count(kRequests,
                   {{"method", method_}, {"route", route_}, {"status", std::to_string(status)}});
    metrics_.observe(kRequestTime, {{"route", route_}}, seconds_since(begun_));
  }

  const std::shared_ptr<HttpResponder> inner_;
  const std::string method_;
  const std::string route_;
  MetricSink& metrics_;
  const Clock::time_point begun_ = Clock::now();
};

}  // namespace

Result<Json> MeteredExecutor::invoke(const CallContext& call, std::string_view operation,
                                     const Json& arguments) {
  const auto begun = Clock::now();
  auto answer = inner_.invoke(call, operation, arguments);
  const std::string_view outcome = answer.ok() ? "ok" : traits(answer.error().code).name;
  const std::string name(operation);
  metrics_.count(kOperations, {{"operation", name}, {"outcome", std::string(outcome)}});
  metrics_.observe(kOperationTime, {{"operation", name}}, seconds_since(begun));
  return answer;
}

std::shared_ptr<HttpResponder> metered(std::shared_ptr<HttpResponder> responder,
                                       const std::string& method, std::string route,
                                       MetricSink& metrics) {
  return std::make_shared<MeteredResponder>(std::move(responder), known_method(method),
                                            std::move(route), metrics);
}

}  // namespace quiver::app
