#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/http.h"
#include "core/limits.h"
#include "core/result.h"

namespace quiver::app {

struct HttpListenerOptions {
  std::string host = "127.0.0.1";
  /// 0: any free one.
  std::uint16_t port = 7600;
  /// Threads that move bytes, and that the handler is called on.
  std::size_t io_threads = 1;
  /// More connections are told so and closed. Lowered to what the limit of open files allows.
  std::size_t connections_max = 10'000;
  /// Request line and headers of one request.
  std::size_t header_bytes_max = 8192;
  std::size_t body_bytes_max = limits::kMessageBytesMax;
  /// Bodies of all requests in flight together: what clients can make the process hold.
  std::size_t bodies_bytes_max = 4 * limits::kMessageBytesMax;
  /// Of one stream, written and not sent: a client that leaves as much unread is cut off.
  std::size_t stream_bytes_max = std::size_t{1} << 20;
  /// From the connection, or the first byte of a later request, to the end of the headers.
  std::chrono::milliseconds header_timeout{10'000};
  /// For all of the body.
  std::chrono::milliseconds body_timeout{60'000};
  /// Between the reply to one request and the first byte of the next.
  std::chrono::milliseconds idle_timeout{120'000};
  /// For all of a whole reply; for any progress of a stream that has something to send.
  std::chrono::milliseconds write_timeout{60'000};
  /// A stream of server-sent events that was quiet for so long gets a comment, which also finds out
  /// whether the client is still there. It is written where an event has ended ("\n\n"). 0: never.
  std::chrono::milliseconds stream_ping{15'000};
  /// How long stop() lets replies and streams go on before it cuts them.
  std::chrono::milliseconds drain{5'000};
};

/// Serves HTTP/1.1 and 1.0: reads whole requests, and sends what the handler gives for them, now or
/// later, whole or as a stream.
///
/// Connections are kept alive; pipelined requests are answered in order. What breaks a limit gets
/// the status HTTP has for it, and a client that is too slow is cut off. A stream goes out in
/// chunks, to HTTP/1.0 until the connection ends; it holds no thread and, while it is quiet, no
/// buffer.
///
/// A client that closes its sending side counts as gone: HttpResponder::on_gone fires and its
/// streams end. A whole reply is still sent to it, since it may only have said all that it had to.
/// Behind the bytes of a pipelined request no end is seen; a stream notices at its next write.
///
/// Threads: any.
class HttpListener {
 public:
  /// Listens when it returns. `handler` is called on the io threads and must not block; what it
  /// refers to must outlive stop(). Responders may outlive the listener. Raises the process's limit
  /// of open files as far as the system allows.
  ///
  /// Errors: FailedPrecondition if the port is taken or not allowed; InvalidArgument if the host is
  /// no address of this machine; ResourceExhausted if the system gives no thread.
  static Result<std::unique_ptr<HttpListener>> start(const HttpListenerOptions& options,
                                                     HttpHandler handler);
  /// stop().
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  std::uint16_t port() const noexcept;

  /// Serves a connected stream socket, which it takes, as if it had been accepted.
  ///
  /// Errors: InvalidArgument if it is no socket; Unavailable after stop(); ResourceExhausted with
  /// connections_max of them.
  Status adopt(int socket);

  /// Takes no new connections, closes the idle ones, lets go on what is in flight for as long as
  /// `drain`, cuts what is left (on_gone fires), and ends the threads.
  ///
  /// `end_streams` is called on this thread once nothing new is accepted: whoever owns streams ends
  /// them there, and from then on at once those that requests still in flight ask for. Streams
  /// which nobody ends take all of `drain`. A second call returns at once.
  void stop(const std::function<void()>& end_streams = {});

 private:
  class Acceptor;
  explicit HttpListener(std::shared_ptr<Acceptor> acceptor);

  const std::shared_ptr<Acceptor> acceptor_;
};

}  // namespace quiver::app
