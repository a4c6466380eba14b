#include "app/http_listener.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <ctime>
#include <exception>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <sys/socket.h>

#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mutex.h"

namespace quiver::app {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = net::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kSmallReadBytes = 8192;
/// Bodies are read in pieces of this size: Beast's own first piece is 512 bytes.
constexpr std::size_t kBodyReadBytes = std::size_t{64} << 10;
constexpr std::size_t kBufferBytesMax = 2 * kBodyReadBytes;

/// A reply that the listener gives by itself (RFC 9457).
HttpResponse problem(int status, const std::string& detail) {
  const Json body{
      {"type", "about:blank"},
      {"title",
       std::string(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))))},
      {"status", status},
      {"detail", detail}};
  return {status, {{"content-type", "application/problem+json"}}, body.dump()};
}

HttpResponse problem(const Error& error) {
  const ErrorTraits known = traits(error.code);
  HttpResponse response = problem(known.http_status, error.message);
  if (known.retryable) response.headers["retry-after"] = "1";
  return response;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), size};
}

HttpRequest plain(http::request<http::string_body> message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    auto& value = request.headers[lower(field.name_string())];
    // RFC 9110 5.2: repeated fields are one list.
    if (!value.empty()) value += ", ";
    value += field.value();
  }
  request.body = std::move(message.body());
  return request;
}

/// A part of the memory that all bodies may take together, given back when it goes.
class Share {
 public:
  Share(std::atomic<std::size_t>& used, std::size_t max) : used_(used), max_(max) {}
  ~Share() { release(); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  /// False, and nothing more is held, if there is not that much.
  bool grow_to(std::uint64_t bytes) {
    if (bytes <= held_) return true;
    const auto more = static_cast<std::size_t>(bytes) - held_;
    if (used_.fetch_add(more) + more > max_) {
      used_ -= more;
      return false;
    }
    held_ += more;
    return true;
  }
  void release() { used_ -= std::exchange(held_, 0); }

 private:
  std::atomic<std::size_t>& used_;
  const std::size_t max_;
  std::size_t held_ = 0;
};

/// One request on the lane. Its timer never runs out: it is cancelled when the reply is there.
struct Call {
  explicit Call(const net::any_io_executor& executor)
      : arrived(executor, net::steady_timer::time_point::max()) {}

  HttpRequest request;
  HttpResponse response;
  CancelToken gone = CancelToken::make();
  net::steady_timer arrived;
  bool done = false;
};

}  // namespace

class HttpListener::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const HttpListenerOptions& options, Lane& lane, Handler handler)
      : options_(options), lane_(lane), handler_(std::move(handler)) {}

  Status listen();
  Status start_threads();
  std::uint16_t port() const { return port_; }
  void stop();

 private:
  class Session;
  struct LaneJob;

  Result<tcp::endpoint> resolve();
  net::awaitable<void> accept();
  void admit(tcp::socket socket);
  void turn_away(tcp::socket socket);
  template <typename Action>
  void each_session(Action action) QV_EXCLUDES(mutex_);
  void forget(const std::shared_ptr<Session>& session) QV_EXCLUDES(mutex_);
  bool wait_empty(std::chrono::milliseconds time) QV_EXCLUDES(mutex_);

  const HttpListenerOptions options_;
  Lane& lane_;
  const Handler handler_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> body_bytes_{0};
  net::io_context io_;
  /// Has a strand, which accept() runs on.
  tcp::acceptor acceptor_{net::any_io_executor(net::make_strand(io_))};
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;
  std::set<std::shared_ptr<Session>> sessions_ QV_GUARDED_BY(mutex_);
};

/// One connection. Everything in it runs on its strand.
class HttpListener::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Impl> impl, tcp::socket socket)
      : impl_(std::move(impl)), stream_(std::move(socket)), buffer_(kBufferBytesMax) {}

  net::any_io_executor executor() { return stream_.get_executor(); }

  /// Serves requests until one side has had enough.
  net::awaitable<void> run();
  /// Ends the connection now if no request is under way.
  void stop_idle() {
    if (idle_) stream_.close();
  }
  /// Ends the connection, whatever it does.
  void cut() {
    if (call_) call_->gone.cancel();
    stream_.close();
  }

 private:
  friend struct LaneJob;
  using Parser = http::request_parser<http::string_body>;

  net::awaitable<bool> wait_for_request();
  net::awaitable<bool> serve_one();
  net::awaitable<std::optional<HttpResponse>> read_body(Parser& parser, Share& share);
  net::awaitable<HttpResponse> call(HttpRequest request);
  net::awaitable<void> watch(std::shared_ptr<Call> call);
  net::awaitable<bool> respond(HttpResponse response, bool head, bool keep_alive);
  net::awaitable<void> reject(HttpResponse response);
  std::optional<HttpResponse> header_fault(const Parser& parser) const;
  std::optional<HttpResponse> read_fault(error_code error) const;

  const std::shared_ptr<Impl> impl_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  bool first_ = true;
  bool idle_ = false;
  std::shared_ptr<Call> call_;
};

/// Carries a request out on the lane. The last thing it lets go of is the listener's io_context,
/// which the others refer to.
struct HttpListener::Impl::LaneJob {
  std::shared_ptr<Impl> impl;
  net::any_io_executor executor;
  std::shared_ptr<Session> session;
  std::shared_ptr<Call> call;

  void operator()() {
    try {
      call->response = impl->handler_(call->request, call->gone);
    } catch (const std::exception& error) {
      QV_LOG_ERROR("http.handler_threw what={}", error.what());
      call->response = problem({ErrorCode::Internal, "the server failed to handle this request"});
    }
    net::post(executor, [held = std::move(session), done = std::move(call)] {
      done->done = true;
      done->arrived.cancel();
    });
  }
};

net::awaitable<void> HttpListener::Impl::Session::run() {
  const auto self = shared_from_this();
  while (!impl_->stopping_) {
    const bool go_on = co_await serve_one();
    if (!go_on) break;
  }
  stream_.close();
}

net::awaitable<bool> HttpListener::Impl::Session::wait_for_request() {
  // Memory that a large body needed is not kept by a quiet connection.
  if (buffer_.size() == 0 && buffer_.capacity() > kSmallReadBytes) {
    buffer_ = beast::flat_buffer(kBufferBytesMax);
  }
  if (buffer_.size() > 0) co_return true;
  error_code error;
  const auto& options = impl_->options_;
  stream_.expires_after(first_ ? options.header_timeout : options.idle_timeout);
  first_ = false;
  idle_ = true;
  const std::size_t read = co_await stream_.async_read_some(
      buffer_.prepare(kSmallReadBytes), net::redirect_error(net::use_awaitable, error));
  idle_ = false;
  buffer_.commit(read);
  co_return !error;
}

net::awaitable<bool> HttpListener::Impl::Session::serve_one() {
  const bool arrived = co_await wait_for_request();
  if (!arrived) co_return false;

  std::optional<Parser> parser(std::in_place);
  parser->header_limit(static_cast<std::uint32_t>(impl_->options_.header_bytes_max));
  parser->body_limit(impl_->options_.body_bytes_max);
  stream_.expires_after(impl_->options_.header_timeout);
  error_code error;
  co_await http::async_read_header(stream_, buffer_, *parser,
                                   net::redirect_error(net::use_awaitable, error));
  auto fault = error ? read_fault(error) : header_fault(*parser);
  if (error && !fault) co_return false;
  Share share(impl_->body_bytes_, impl_->options_.bodies_bytes_max);
  if (!fault) fault = co_await read_body(*parser, share);
  if (fault) {
    parser.reset();
    share.release();
    co_await reject(std::move(*fault));
    co_return false;
  }
  if (!parser->is_done()) co_return false;

  const bool head = parser->get().method() == http::verb::head;
  const bool keep_alive = parser->get().keep_alive();
  HttpRequest request = plain(parser->release());
  parser.reset();
  HttpResponse response = co_await call(std::move(request));
  share.release();
  const bool sent = co_await respond(std::move(response), head, keep_alive);
  co_return sent&& keep_alive;
}

std::optional<HttpResponse> HttpListener::Impl::Session::header_fault(const Parser& parser) const {
  const auto& message = parser.get();
  const auto hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    return problem(400, "a request has one Host header");
  }
  return std::nullopt;
}

std::optional<HttpResponse> HttpListener::Impl::Session::read_fault(error_code error) const {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return problem(431, "request line and headers have at most " +
                            std::to_string(impl_->options_.header_bytes_max) + " bytes");
  }
  if (error == http::error::body_limit) {
    return problem(
        413, "a body has at most " + std::to_string(impl_->options_.body_bytes_max) + " bytes");
  }
  const bool is_http = error.category() == make_error_code(http::error::bad_method).category();
  if (is_http && error != http::error::end_of_stream && error != http::error::partial_message) {
    return problem(400, "not a valid HTTP request: " + error.message());
  }
  return std::nullopt;
}

net::awaitable<std::optional<HttpResponse>> HttpListener::Impl::Session::read_body(Parser& parser,
                                                                                   Share& share) {
  if (parser.is_done()) co_return std::nullopt;
  const auto no_room = [] {
    HttpResponse response = problem(503, "too many large requests at once: try again shortly");
    response.headers["retry-after"] = "1";
    return response;
  };
  const std::uint64_t announced = parser.content_length().value_or(0);
  if (!share.grow_to(announced)) co_return no_room();
  if (announced == 0 || announced > kSmallReadBytes) buffer_.reserve(kBodyReadBytes);

  stream_.expires_after(impl_->options_.body_timeout);
  error_code error;
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on{http::status::continue_, parser.get().version()};
    co_await http::async_write(stream_, go_on, net::redirect_error(net::use_awaitable, error));
  }
  while (!error && !parser.is_done()) {
    co_await http::async_read_some(stream_, buffer_, parser,
                                   net::redirect_error(net::use_awaitable, error));
    if (!share.grow_to(parser.get().body().size())) co_return no_room();
  }
  if (error) co_return read_fault(error);
  co_return std::nullopt;
}

net::awaitable<HttpResponse> HttpListener::Impl::Session::call(HttpRequest request) {
  const auto call = std::make_shared<Call>(executor());
  call->request = std::move(request);
  const Status submitted =
      impl_->lane_.submit(LaneJob{impl_, executor(), shared_from_this(), call});
  if (!submitted.ok()) co_return problem(submitted.error());
  call_ = call;
  net::co_spawn(executor(), watch(call), net::detached);
  error_code error;
  while (!call->done) {
    co_await call->arrived.async_wait(net::redirect_error(net::use_awaitable, error));
  }
  call_ = nullptr;
  // Ends watch().
  stream_.socket().cancel(error);
  co_return std::move(call->response);
}

net::awaitable<void> HttpListener::Impl::Session::watch(std::shared_ptr<Call> call) {
  const auto self = shared_from_this();
  error_code error;
  co_await stream_.socket().async_wait(tcp::socket::wait_read,
                                       net::redirect_error(net::use_awaitable, error));
  if (call->done || error) co_return;
  // Bytes are the next request of a client that pipelines; behind them no end can be seen.
  char byte = 0;
  stream_.socket().receive(net::buffer(&byte, 1), tcp::socket::message_peek, error);
  if (error && error != net::error::would_block) call->gone.cancel();
}

net::awaitable<bool> HttpListener::Impl::Session::respond(HttpResponse response, bool head,
                                                          bool keep_alive) {
  http::response<http::string_body> message;
  message.version(11);
  message.result(static_cast<unsigned>(response.status));
  message.set(http::field::date, http_date());
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.body() = std::move(response.body);
  message.keep_alive(keep_alive && !impl_->stopping_);
  message.prepare_payload();
  // The length stays that of the body which is not sent.
  if (head) message.body().clear();
  stream_.expires_after(impl_->options_.write_timeout);
  error_code error;
  co_await http::async_write(stream_, message, net::redirect_error(net::use_awaitable, error));
  co_return !error;
}

/// Replies, and ends the connection: where the next request begins is not known. What the client
/// still sends is read for a moment, since closing on unread bytes would destroy the reply.
net::awaitable<void> HttpListener::Impl::Session::reject(HttpResponse response) {
  constexpr std::chrono::milliseconds kLinger{500};
  constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;
  const bool sent = co_await respond(std::move(response), false, false);
  if (!sent) co_return;
  error_code error;
  stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  buffer_.clear();
  stream_.expires_after(kLinger);
  for (std::size_t total = 0; !error && total < kLingerBytesMax;) {
    total += co_await stream_.async_read_some(buffer_.prepare(kSmallReadBytes),
                                              net::redirect_error(net::use_awaitable, error));
  }
}

Result<tcp::endpoint> HttpListener::Impl::resolve() {
  error_code error;
  const auto address = net::ip::make_address(options_.host, error);
  if (!error) return tcp::endpoint(address, options_.port);
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(options_.host, std::to_string(options_.port), error);
  if (error || found.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "host " + options_.host + ": not an address or a name of this machine"};
  }
  return found.begin()->endpoint();
}

Status HttpListener::Impl::listen() {
  QV_TRY(const tcp::endpoint endpoint, resolve());
  const std::string where = options_.host + " port " + std::to_string(options_.port);
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

Status HttpListener::Impl::start_threads() {
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.io_threads, 1); ++i) {
      // The acceptor and the connections are its work: it ends when they have.
      threads_.emplace_back([this] { io_.run(); });
    }
  } catch (const std::system_error& error) {
    stop();
    return Error{ErrorCode::ResourceExhausted,
                 std::string("the system gave no thread: ") + error.what()};
  }
  return Done{};
}

net::awaitable<void> HttpListener::Impl::accept() {
  constexpr std::chrono::milliseconds kPause{50};
  net::steady_timer pause(acceptor_.get_executor());
  while (!stopping_) {
    error_code error;
    const net::any_io_executor strand = net::make_strand(io_);
    tcp::socket socket =
        co_await acceptor_.async_accept(strand, net::redirect_error(net::use_awaitable, error));
    if (!acceptor_.is_open()) break;
    if (error) {
      // Out of descriptors, most likely: they come back when connections close.
      QV_LOG_WARN("http.accept_failed error=\"{}\"", error.message());
      pause.expires_after(kPause);
      co_await pause.async_wait(net::redirect_error(net::use_awaitable, error));
      continue;
    }
    admit(std::move(socket));
  }
}

void HttpListener::Impl::admit(tcp::socket socket) {
  error_code ignored;
  // Replies go out at once: with Nagle's algorithm each would wait 40 ms for an acknowledgement.
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  std::shared_ptr<Session> session;
  {
    const MutexLock lock(mutex_);
    if (sessions_.size() < options_.connections_max) {
      session = std::make_shared<Session>(shared_from_this(), std::move(socket));
      sessions_.insert(session);
    }
  }
  if (!session) return turn_away(std::move(socket));
  net::co_spawn(session->executor(), session->run(),
                [self = shared_from_this(), session](const std::exception_ptr& thrown) {
                  if (thrown) QV_LOG_ERROR("http.session_threw");
                  self->forget(session);
                });
}

void HttpListener::Impl::turn_away(tcp::socket socket) {
  static constexpr std::string_view kReply =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
      "Retry-After: 1\r\n\r\n";
  error_code ignored;
  socket.write_some(net::buffer(kReply), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

template <typename Action>
void HttpListener::Impl::each_session(Action action) {
  const MutexLock lock(mutex_);
  for (const auto& session : sessions_) {
    net::post(session->executor(), [session, action] { action(*session); });
  }
}

void HttpListener::Impl::forget(const std::shared_ptr<Session>& session) {
  const MutexLock lock(mutex_);
  sessions_.erase(session);
  changed_.notify_all();
}

bool HttpListener::Impl::wait_empty(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!sessions_.empty()) {
    if (!changed_.wait_until(mutex_, until)) return sessions_.empty();
  }
  return true;
}

void HttpListener::Impl::stop() {
  if (stopping_.exchange(true)) return;
  net::post(acceptor_.get_executor(), [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
  });
  each_session([](Session& session) { session.stop_idle(); });
  if (!wait_empty(options_.drain)) {
    QV_LOG_WARN("http.stop_cuts after_ms={}", options_.drain.count());
    each_session([](Session& session) { session.cut(); });
    while (!wait_empty(options_.drain)) QV_LOG_WARN("http.stop_waits for=handlers");
  }
  // Without threads, what was posted would hold this object for ever.
  if (threads_.empty()) io_.poll();
  for (auto& thread : threads_) thread.join();
}

Result<std::unique_ptr<HttpListener>> HttpListener::start(const HttpListenerOptions& options,
                                                          Lane& lane, Handler handler) {
  auto impl = std::make_shared<Impl>(options, lane, std::move(handler));
  QV_CHECK(impl->listen());
  QV_CHECK(impl->start_threads());
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

HttpListener::HttpListener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpListener::~HttpListener() {
  stop();
}

std::uint16_t HttpListener::port() const noexcept {
  return impl_->port();
}

void HttpListener::stop() {
  impl_->stop();
}

}  // namespace quiver::app
