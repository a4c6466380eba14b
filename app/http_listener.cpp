#include "app/http_listener.h"

#include <algorithm>
#include <exception>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "app/file_limit.h"
#include "app/http_connection.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mutex.h"

namespace quiver::app {
namespace {

namespace net = boost::asio;
using tcp = net::ip::tcp;
using boost::system::error_code;
using Connection = std::shared_ptr<HttpConnection>;

HttpListenerOptions within_limits(HttpListenerOptions options) {
  const std::size_t files = raise_file_limit();
  const std::size_t fit = connections_within(options.connections_max, files);
  if (fit < options.connections_max) {
    QV_LOG_WARN("http.connections_lowered from={} to={} because=\"open files are limited to {}\"",
                options.connections_max, fit, files);
    options.connections_max = fit;
  }
  return options;
}

/// What a socket needs. Not all of it exists for all that adopt() takes.
void prepare(tcp::socket& socket, std::chrono::milliseconds write_timeout) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  // Replies go out at once: with Nagle's algorithm each would wait 40 ms for an acknowledgement.
  socket.set_option(tcp::no_delay(true), ignored);
  // Peers that vanished without a word: asked after a minute of silence, given up when they have
  // acknowledged nothing for as long as a write may take.
  using Seconds = net::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = net::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using Unanswered = net::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
  socket.set_option(net::socket_base::keep_alive(true), ignored);
  socket.set_option(Seconds(60), ignored);
  socket.set_option(Interval(15), ignored);
  socket.set_option(Unanswered(static_cast<int>(write_timeout.count())), ignored);
  // What a slow reader leaves waits in our bounded queue, not in the system's larger one.
  using Unsent = net::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
  socket.set_option(Unsent(256 << 10), ignored);
}

void turn_away(tcp::socket socket) {
  static constexpr std::string_view kReply =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
      "Retry-After: 1\r\n\r\n";
  error_code ignored;
  socket.write_some(net::buffer(kReply), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

class HttpListener::Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(const HttpListenerOptions& options, HttpHandler handler)
      : serving_(std::make_shared<HttpServing>(within_limits(options), std::move(handler))) {}

  Status listen();
  Status start_threads();
  std::uint16_t port() const { return port_; }
  Status adopt(int descriptor);
  void stop(const std::function<void()>& end_streams);

 private:
  Result<tcp::endpoint> resolve();
  net::awaitable<void> accept();
  bool admit(tcp::socket& socket) QV_EXCLUDES(mutex_);
  template <typename Action>
  void each_connection(Action action) QV_EXCLUDES(mutex_);
  void forget(const Connection& connection) QV_EXCLUDES(mutex_);
  bool wait_empty(std::chrono::milliseconds time) QV_EXCLUDES(mutex_);

  const std::shared_ptr<HttpServing> serving_;
  std::uint16_t port_ = 0;
  /// Has a strand, which accept() runs on.
  tcp::acceptor acceptor_{net::any_io_executor(net::make_strand(serving_->io))};
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;
  std::set<Connection> connections_ QV_GUARDED_BY(mutex_);
};

Result<tcp::endpoint> HttpListener::Acceptor::resolve() {
  const auto& options = serving_->options;
  error_code error;
  const auto address = net::ip::make_address(options.host, error);
  if (!error) return tcp::endpoint(address, options.port);
  tcp::resolver resolver(serving_->io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), error);
  if (error || found.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "host " + options.host + ": not an address or a name of this machine"};
  }
  return found.begin()->endpoint();
}

Status HttpListener::Acceptor::listen() {
  QV_TRY(const tcp::endpoint endpoint, resolve());
  const auto& options = serving_->options;
  const std::string where = options.host + " port " + std::to_string(options.port);
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (error == net::error::address_in_use) {
    return Error{ErrorCode::FailedPrecondition,
                 where + ": address in use: choose another with --port"};
  }
  if (error == net::error::access_denied) {
    return Error{ErrorCode::FailedPrecondition,
                 where + ": not allowed: choose a port from 1024 up with --port"};
  }
  if (error) return Error{ErrorCode::InvalidArgument, where + ": " + error.message()};
  port_ = acceptor_.local_endpoint(error).port();
  net::co_spawn(acceptor_.get_executor(), accept(), net::detached);
  return Done{};
}

Status HttpListener::Acceptor::start_threads() {
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(serving_->options.io_threads, 1); ++i) {
      // The acceptor and the connections are its work: it ends when they have.
      threads_.emplace_back([this] { serving_->io.run(); });
    }
  } catch (const std::system_error& error) {
    stop({});
    return Error{ErrorCode::ResourceExhausted,
                 std::string("the system gave no thread: ") + error.what()};
  }
  return Done{};
}

net::awaitable<void> HttpListener::Acceptor::accept() {
  constexpr std::chrono::milliseconds kPause{50};
  const auto self = shared_from_this();
  net::steady_timer pause(acceptor_.get_executor());
  bool failing = false;
  while (!serving_->stopping) {
    error_code error;
    const net::any_io_executor strand = net::make_strand(serving_->io);
    tcp::socket socket =
        co_await acceptor_.async_accept(strand, net::redirect_error(net::use_awaitable, error));
    if (!acceptor_.is_open()) break;
    if (!error && !admit(socket)) turn_away(std::move(socket));
    if (!error) {
      failing = false;
      continue;
    }
    // Out of descriptors, most likely: they come back when connections close.
    if (!std::exchange(failing, true)) {
      QV_LOG_WARN("http.accept_failed error=\"{}\"", error.message());
    }
    pause.expires_after(kPause);
    co_await pause.async_wait(net::redirect_error(net::use_awaitable, error));
  }
}

/// Takes the socket and serves it, unless there are too many already.
bool HttpListener::Acceptor::admit(tcp::socket& socket) {
  Connection connection;
  {
    const MutexLock lock(mutex_);
    if (serving_->stopping) return false;
    if (connections_.size() >= serving_->options.connections_max) return false;
    prepare(socket, serving_->options.write_timeout);
    connection = std::make_shared<HttpConnection>(serving_, std::move(socket));
    connections_.insert(connection);
  }
  net::co_spawn(connection->executor(), connection->run(),
                [self = shared_from_this(), connection](const std::exception_ptr& thrown) {
                  if (thrown) {
                    QV_LOG_ERROR("http.connection_threw");
                    connection->cut();
                  }
                  self->forget(connection);
                });
  return true;
}

Status HttpListener::Acceptor::adopt(int descriptor) {
  tcp::socket socket(net::any_io_executor(net::make_strand(serving_->io)));
  error_code error;
  socket.assign(tcp::v4(), descriptor, error);
  if (error) {
    return Error{ErrorCode::InvalidArgument, "cannot serve this: " + error.message()};
  }
  if (serving_->stopping) return Error{ErrorCode::Unavailable, "the listener has stopped"};
  if (admit(socket)) return Done{};
  turn_away(std::move(socket));
  return Error{ErrorCode::ResourceExhausted, "there are too many connections"};
}

template <typename Action>
void HttpListener::Acceptor::each_connection(Action action) {
  const MutexLock lock(mutex_);
  for (const auto& connection : connections_) {
    net::post(connection->executor(), [connection, action] { action(*connection); });
  }
}

void HttpListener::Acceptor::forget(const Connection& connection) {
  const MutexLock lock(mutex_);
  connections_.erase(connection);
  changed_.notify_all();
}

bool HttpListener::Acceptor::wait_empty(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!connections_.empty()) {
    if (!changed_.wait_until(mutex_, until)) return connections_.empty();
  }
  return true;
}

void HttpListener::Acceptor::stop(const std::function<void()>& end_streams) {
  if (serving_->stopping.exchange(true)) return;
  net::post(acceptor_.get_executor(), [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
  });
  each_connection([](HttpConnection& connection) { connection.wake(); });
  if (end_streams) end_streams();
  const auto drain = serving_->options.drain;
  if (!wait_empty(drain)) {
    QV_LOG_WARN("http.stop_cuts after_ms={}", drain.count());
    each_connection([](HttpConnection& connection) { connection.cut(); });
    while (!wait_empty(std::chrono::seconds(1))) QV_LOG_WARN("http.stop_waits");
  }
  // Without threads, what was posted would hold this object for ever.
  if (threads_.empty()) serving_->io.poll();
  for (auto& thread : threads_) thread.join();
}

Result<std::unique_ptr<HttpListener>> HttpListener::start(const HttpListenerOptions& options,
                                                          HttpHandler handler) {
  auto acceptor = std::make_shared<Acceptor>(options, std::move(handler));
  QV_CHECK(acceptor->listen());
  QV_CHECK(acceptor->start_threads());
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(acceptor)));
}

HttpListener::HttpListener(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}

HttpListener::~HttpListener() {
  stop();
}

std::uint16_t HttpListener::port() const noexcept {
  return acceptor_->port();
}

Status HttpListener::adopt(int socket) {
  return acceptor_->adopt(socket);
}

void HttpListener::stop(const std::function<void()>& end_streams) {
  acceptor_->stop(end_streams);
}

}  // namespace quiver::app
