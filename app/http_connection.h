#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "app/http_exchange.h"
#include "app/http_listener.h"
#include "core/http.h"

namespace quiver::app {

/// What the connections of one listener share. Outlives them all.
struct HttpServing {
  HttpServing(HttpListenerOptions chosen, HttpHandler handle)
      : options(std::move(chosen)),
        handler(std::move(handle)),
        bodies(std::make_shared<BodyBudget>(options.bodies_bytes_max)) {}

  const HttpListenerOptions options;
  const HttpHandler handler;
  const std::shared_ptr<BodyBudget> bodies;
  std::atomic<bool> stopping{false};
  boost::asio::io_context io;
};

/// One client: reads a request, has it handled, sends the response, and again.
///
/// While it waits, for a request or for a handler, it holds no buffer: only the socket is watched.
///
/// Threads: everything runs on the strand that is the socket's executor; only executor() may be
/// called from elsewhere.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  HttpConnection(std::shared_ptr<HttpServing> serving, Socket socket);

  boost::asio::any_io_executor executor() { return stream_.get_executor(); }

  /// Serves requests until one side has had enough.
  boost::asio::awaitable<void> run();
  /// Has it look at what has changed.
  void wake();
  /// Ends the connection, whatever it does; the client can tell that from a good end.
  void cut();

 private:
  using Clock = std::chrono::steady_clock;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  using Parts = std::array<boost::asio::const_buffer, 3>;

  enum class Peer { Here, HalfClosed, Gone };
  struct Parsing;
  /// A request that is complete, and how its response must be written.
  struct Asked {
    HttpRequest request;
    BodyShare share;
    bool head_only = false;
    bool keep_alive = true;
    bool old_client = false;
  };
  /// A response that is being written.
  struct Writing {
    bool has_body = true;
    bool keep_alive = true;
    bool old_client = false;
    bool streams = false;
    bool chunked = false;
    /// Quiet streams get a comment now and then, where an event has ended.
    bool pings = false;
    /// The last two bytes of the body.
    std::string tail = "\n\n";
    Clock::time_point sent_at{};
    /// Of a client that sends no more: when to see whether it still reads, and how long after that;
    /// 0 until it has closed its side.
    Clock::time_point probe_at = Clock::time_point::max();
    std::chrono::milliseconds probe_wait{0};
  };

  Awaitable<bool> serve_one();
  Awaitable<bool> await_bytes();
  Awaitable<std::optional<Asked>> read_request();
  Awaitable<std::optional<HttpResponse>> read_header(Parsing& parsing);
  Awaitable<std::optional<HttpResponse>> read_body(Parsing& parsing, BodyShare& share);
  Awaitable<bool> fill(Parsing& parsing, std::size_t bytes, Clock::time_point deadline);
  void hand_over(HttpRequest request, BodyShare share);
  Awaitable<bool> reply(Writing& writing);
  Awaitable<bool> rest_for_reply(Writing& writing);
  static void plan_probe(Writing& writing);
  std::string begin(Writing& writing, const HttpResponse& head, bool streams);
  Awaitable<bool> send_piece(Writing& writing, HttpExchange::Piece piece);
  Awaitable<bool> send(Parts parts, bool by_progress);
  Awaitable<void> reject(HttpResponse response, bool head_only);
  Awaitable<void> rest(Clock::time_point until);
  void watch();
  Peer look();
  void shrink();
  std::optional<HttpResponse> header_fault(const Parsing& parsing) const;
  std::optional<HttpResponse> read_fault(boost::system::error_code error) const;

  const std::shared_ptr<HttpServing> serving_;
  boost::beast::tcp_stream stream_;
  /// Ends rest(): runs out, or is cancelled by wake().
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  const Clock::time_point opened_ = Clock::now();
  bool first_ = true;
  bool cut_ = false;
  /// A wait for the socket is under way.
  bool watching_ = false;
  /// The socket has bytes, an end or an error, which has not been read yet.
  bool readable_ = false;
  std::shared_ptr<HttpExchange> exchange_;
};

}  // namespace quiver::app
