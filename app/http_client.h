#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "core/http_client.h"
#include "core/result.h"

namespace quiver::app {

struct HttpClientOptions {
  TlsFiles tls;
  /// For calls without a deadline; streams have none then.
  std::chrono::milliseconds call_timeout{10'000};
  /// Of that, for the connection.
  std::chrono::milliseconds connect_timeout{3'000};
  /// Of a response, without those that a sink takes.
  std::size_t response_bytes_max = std::size_t{64} << 20U;
  /// Connections without a request: how many for each origin, and for how long.
  std::size_t idle_connections_max = 8;
  std::chrono::milliseconds idle_time{30'000};
};

/// An HttpClient for http and https. Resolving a host's name is not bounded by the deadline.
///
/// Errors: InvalidArgument for TLS files that are incomplete or cannot be read.
Result<std::unique_ptr<HttpClient>> make_http_client(const HttpClientOptions& options);

}  // namespace quiver::app
