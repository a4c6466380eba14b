#pragma once

#include <memory>
#include <string>

#include "core/http.h"
#include "core/metrics.h"
#include "service/executor.h"

/// Counts and times what passes through.
namespace quiver::app {

/// Operations by name and outcome. Borrows both.
///
/// Threads: any.
class MeteredExecutor final : public service::Executor {
 public:
  MeteredExecutor(service::Executor& inner, MetricSink& metrics)
      : inner_(inner), metrics_(metrics) {}

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return inner_.subscribe(std::move(listener));
  }
  void follow() override { inner_.follow(); }

 private:
  service::Executor& inner_;
  MetricSink& metrics_;
};

/// Takes the response on to `responder`, and reports it once its status is known. `route`: one of
/// those that the server has, or what stands for all others. `metrics` must outlive it.
std::shared_ptr<HttpResponder> metered(std::shared_ptr<HttpResponder> responder,
                                       const std::string& method, std::string route,
                                       MetricSink& metrics);

}  // namespace quiver::app
