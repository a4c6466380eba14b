#pragma once

#include <chrono>
#include <string>

#include "api/rest/health.h"
#include "app/prometheus.h"
#include "core/result.h"
#include "service/executor.h"

/// What a server says of itself to those who run it.
namespace quiver::app {

/// How long a server looks whether it can serve: less than probes usually wait.
inline constexpr std::chrono::milliseconds kReportPatience{900};

/// Whether operations can be carried out: all, or why those that write cannot. May wait.
///
/// Errors: why none can.
Result<api::Readiness> readiness(service::Executor& executor);

/// Adds what `executor` knows of collections, shards and servers, and whether it can serve.
void write_node_metrics(service::Executor& executor, MetricText& out);

/// Adds what the system says of this process.
void write_process_metrics(MetricText& out);

}  // namespace quiver::app
