#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "app/lanes.h"
#include "core/call_context.h"
#include "core/http.h"
#include "core/limits.h"
#include "core/result.h"

namespace quiver::app {

struct HttpListenerOptions {
  std::string host = "127.0.0.1";
  /// 0: any free one.
  std::uint16_t port = 7600;
  /// Threads that move bytes; requests are carried out on the lane.
  std::size_t io_threads = 1;
  /// More connections are told so and closed.
  std::size_t connections_max = 1024;
  /// Request line and headers of one request.
  std::size_t header_bytes_max = 8192;
  std::size_t body_bytes_max = limits::kMessageBytesMax;
  /// Bodies of all requests in flight together: what clients can make the process hold.
  std::size_t bodies_bytes_max = 4 * limits::kMessageBytesMax;
  /// From the connection, or the first byte of a later request, to the end of the headers.
  std::chrono::milliseconds header_timeout{10'000};
  /// For all of the body.
  std::chrono::milliseconds body_timeout{60'000};
  /// Between the reply to one request and the first byte of the next.
  std::chrono::milliseconds idle_timeout{120'000};
  /// For all of the reply.
  std::chrono::milliseconds write_timeout{60'000};
  /// How long stop() lets requests in flight go on before it cancels them.
  std::chrono::milliseconds drain{5'000};
};

/// Serves HTTP/1.1: reads whole requests, has them handled on a lane, writes whole replies.
///
/// Connections are kept alive; pipelined requests are answered in order. What breaks a limit gets
/// the status HTTP has for it, and a client that is too slow is cut off.
///
/// Threads: any.
class HttpListener {
 public:
  /// Runs on the lane. `gone` fires if the client disconnects, or stop() runs out of patience;
  /// the handler must return soon then.
  using Handler = std::function<HttpResponse(const HttpRequest& request, const CancelToken& gone)>;

  /// Listens when it returns. Borrows the lane, which must be stopped after the listener.
  ///
  /// Errors: FailedPrecondition if the port is taken or not allowed; InvalidArgument if the host is
  /// no address of this machine; ResourceExhausted if the system gives no thread.
  static Result<std::unique_ptr<HttpListener>> start(const HttpListenerOptions& options, Lane& lane,
                                                     Handler handler);
  /// stop().
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  std::uint16_t port() const noexcept;

  /// Takes no new connections and requests, waits for what is in flight, and ends the threads.
  void stop();

 private:
  class Impl;
  explicit HttpListener(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

}  // namespace quiver::app
