#include "app/http_connection.h"

#include <algorithm>
#include <cctype>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_suffix.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "app/http_head.h"
#include "core/error.h"
#include "core/log.h"

namespace quiver::app {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kSmallReadBytes = 8192;
/// Bodies are read in pieces of this size.
constexpr std::size_t kBodyReadBytes = std::size_t{64} << 10;
constexpr std::size_t kBufferBytesMax = 2 * kBodyReadBytes;
constexpr std::string_view kEventEnd = "\n\n";
/// A comment, which clients pass over (WHATWG HTML 9.2.6).
constexpr std::string_view kPing = ":\n\n";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
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

bool is_event_stream(const HttpResponse& head) {
  const auto type = head.headers.find("content-type");
  return type != head.headers.end() && type->second.rfind("text/event-stream", 0) == 0;
}

std::string chunk_head(std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (; bytes > 0; bytes >>= 4U) text.insert(text.begin(), kDigits[bytes & 0xFU]);
  return text + "\r\n";
}

}  // namespace

struct HttpConnection::Parsing {
  http::request_parser<http::string_body> parser;
  error_code error;

  /// Gives the parser what was read; true if it needs more for what it is at.
  bool put(beast::flat_buffer& buffer) {
    if (buffer.size() == 0) return true;
    buffer.consume(parser.put(buffer.data(), error));
    if (error != http::error::need_more) return false;
    error = {};
    return true;
  }
};

HttpConnection::HttpConnection(std::shared_ptr<HttpServing> serving, Socket socket)
    : serving_(std::move(serving)),
      stream_(std::move(socket)),
      timer_(stream_.get_executor()),
      buffer_(kBufferBytesMax) {}

net::awaitable<void> HttpConnection::run() {
  const auto self = shared_from_this();
  while (!serving_->stopping && !cut_) {
    const bool go_on = co_await serve_one();
    if (!go_on) break;
  }
  stream_.close();
}

void HttpConnection::wake() {
  // A write that makes no progress does not look at anything.
  if (exchange_ && exchange_->is_broken()) return cut();
  timer_.cancel();
}

void HttpConnection::cut() {
  cut_ = true;
  error_code ignored;
  // A reset, so that a body which only the connection delimits does not look complete, and nothing
  // stays behind in the system for a client that does not read.
  stream_.socket().set_option(net::socket_base::linger(true, 0), ignored);
  stream_.close();
  timer_.cancel();
  if (exchange_) exchange_->lose();
}

/// Sleeps until the time, wake(), or something from the client.
net::awaitable<void> HttpConnection::rest(Clock::time_point until) {
  watch();
  timer_.expires_at(until);
  error_code ignored;
  co_await timer_.async_wait(net::redirect_error(net::use_awaitable, ignored));
}

void HttpConnection::watch() {
  if (watching_ || readable_) return;
  watching_ = true;
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](error_code) {
    self->watching_ = false;
    self->readable_ = true;
    self->timer_.cancel();
  });
}

HttpConnection::Peer HttpConnection::look() {
  if (!readable_) return Peer::Here;
  error_code error;
  char byte = 0;
  stream_.socket().receive(net::buffer(&byte, 1), Socket::message_peek, error);
  if (error == net::error::would_block) readable_ = false;
  // Bytes are the next request of a client that pipelines; behind them no end can be seen.
  if (!error || error == net::error::would_block) return Peer::Here;
  return error == net::error::eof ? Peer::HalfClosed : Peer::Gone;
}

/// Memory that a request needed is not kept by a connection that waits.
void HttpConnection::shrink() {
  if (buffer_.size() == 0 && buffer_.capacity() > 0) {
    buffer_ = beast::flat_buffer(kBufferBytesMax);
  }
}

/// Waits for the first bytes of a request. False if none will come.
net::awaitable<bool> HttpConnection::await_bytes() {
  if (buffer_.size() > 0) {
    // Others have their turn between requests that came together.
    co_await net::post(executor(), net::use_awaitable);
    co_return !cut_;
  }
  shrink();
  const auto& options = serving_->options;
  const auto deadline =
      first_ ? opened_ + options.header_timeout : Clock::now() + options.idle_timeout;
  for (;;) {
    while (!readable_ && !cut_ && !serving_->stopping && Clock::now() < deadline) {
      co_await rest(deadline);
    }
    if (!readable_ || cut_) co_return false;
    readable_ = false;
    error_code error;
    buffer_.commit(stream_.socket().read_some(buffer_.prepare(kSmallReadBytes), error));
    if (error != net::error::would_block) co_return !error;
  }
}

net::awaitable<bool> HttpConnection::serve_one() {
  const bool arrived = co_await await_bytes();
  if (!arrived) co_return false;
  auto asked = co_await read_request();
  if (!asked) co_return false;
  Writing writing;
  writing.has_body = !asked->head_only;
  writing.keep_alive = asked->keep_alive;
  writing.old_client = asked->old_client;
  hand_over(std::move(asked->request), std::move(asked->share));
  asked.reset();
  shrink();
  const bool replied = co_await reply(writing);
  if (replied) {
    exchange_->finish();
  } else {
    cut();
  }
  exchange_ = nullptr;
  co_return replied&& writing.keep_alive;
}

/// Nothing if there is none to handle: then the client has been told, or has gone.
net::awaitable<std::optional<HttpConnection::Asked>> HttpConnection::read_request() {
  BodyShare share(serving_->bodies);
  std::optional<Parsing> parsing(std::in_place);
  parsing->parser.header_limit(static_cast<std::uint32_t>(serving_->options.header_bytes_max));
  parsing->parser.body_limit(serving_->options.body_bytes_max);
  auto fault = co_await read_header(*parsing);
  if (!fault && parsing->parser.is_header_done()) fault = co_await read_body(*parsing, share);
  if (fault) {
    const bool head_only = parsing->parser.get().method() == http::verb::head;
    parsing.reset();
    share.release();
    co_await reject(std::move(*fault), head_only);
    co_return std::nullopt;
  }
  if (!parsing->parser.is_done()) co_return std::nullopt;
  const auto& message = parsing->parser.get();
  Asked asked{{}, std::move(share)};
  asked.head_only = message.method() == http::verb::head;
  asked.keep_alive = message.keep_alive();
  asked.old_client = message.version() < 11;
  asked.request = plain(parsing->parser.release());
  co_return asked;
}

/// Reads up to so many bytes more. False at the end, too late, or with a buffer that is full.
net::awaitable<bool> HttpConnection::fill(Parsing& parsing, std::size_t bytes,
                                          Clock::time_point deadline) {
  const std::size_t room = buffer_.max_size() - buffer_.size();
  if (room == 0) {
    parsing.error = http::error::buffer_overflow;
    co_return false;
  }
  stream_.expires_at(deadline);
  readable_ = false;
  const std::size_t read =
      co_await stream_.async_read_some(buffer_.prepare(std::min(bytes, room)),
                                       net::redirect_error(net::use_awaitable, parsing.error));
  stream_.expires_never();
  buffer_.commit(read);
  co_return !parsing.error;
}

net::awaitable<std::optional<HttpResponse>> HttpConnection::read_header(Parsing& parsing) {
  const auto timeout = serving_->options.header_timeout;
  const auto deadline = std::exchange(first_, false) ? opened_ + timeout : Clock::now() + timeout;
  while (!parsing.parser.is_header_done()) {
    const bool more = parsing.put(buffer_);
    if (parsing.error) co_return read_fault(parsing.error);
    if (parsing.parser.is_header_done() || !more) continue;
    const bool filled = co_await fill(parsing, kSmallReadBytes, deadline);
    if (!filled) co_return read_fault(parsing.error);
  }
  co_return header_fault(parsing);
}

std::optional<HttpResponse> HttpConnection::header_fault(const Parsing& parsing) const {
  const auto& message = parsing.parser.get();
  const auto hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    return problem(400, "a request has one Host header");
  }
  const auto codings = message.count(http::field::transfer_encoding);
  if (codings > 1 ||
      (codings == 1 && !beast::iequals(message[http::field::transfer_encoding], "chunked"))) {
    return problem(501, "header Transfer-Encoding: chunked is the only coding that is read here");
  }
  return std::nullopt;
}

std::optional<HttpResponse> HttpConnection::read_fault(error_code error) const {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return problem(431, "request line and headers have at most " +
                            std::to_string(serving_->options.header_bytes_max) + " bytes");
  }
  if (error == http::error::body_limit) {
    return problem(
        413, "a body has at most " + std::to_string(serving_->options.body_bytes_max) + " bytes");
  }
  if (error.category() == make_error_code(http::error::bad_method).category()) {
    return problem(400, "not a valid HTTP request: " + error.message());
  }
  return std::nullopt;
}

net::awaitable<std::optional<HttpResponse>> HttpConnection::read_body(Parsing& parsing,
                                                                      BodyShare& share) {
  auto& parser = parsing.parser;
  if (parser.is_done()) co_return std::nullopt;
  const auto no_room = [] {
    HttpResponse response = problem(503, "too many large requests at once: try again shortly");
    response.headers["retry-after"] = "1";
    return response;
  };
  const std::size_t announced = static_cast<std::size_t>(parser.content_length().value_or(0));
  if (!share.grow_to(announced)) co_return no_room();
  const bool large = announced == 0 || announced > kSmallReadBytes;
  const auto deadline = Clock::now() + serving_->options.body_timeout;
  if (parser.get().version() >= 11 &&
      beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool sent = co_await send({net::buffer(kGoOn), {}, {}}, false);
    if (!sent) co_return std::nullopt;
  }
  parser.eager(true);
  while (!parser.is_done()) {
    const bool more = parsing.put(buffer_);
    if (parsing.error) co_return read_fault(parsing.error);
    if (!share.grow_to(parser.get().body().size())) co_return no_room();
    if (parser.is_done() || !more) continue;
    const bool filled = co_await fill(parsing, large ? kBodyReadBytes : kSmallReadBytes, deadline);
    if (!filled) co_return read_fault(parsing.error);
  }
  co_return std::nullopt;
}

void HttpConnection::hand_over(HttpRequest request, BodyShare share) {
  auto wake = [weak = weak_from_this()] {
    const auto connection = weak.lock();
    if (!connection) return;
    // Weak, since nobody may be left to carry it out.
    net::post(connection->executor(), [weak] {
      if (const auto woken = weak.lock()) woken->wake();
    });
  };
  exchange_ = std::make_shared<HttpExchange>(serving_->options.stream_bytes_max, std::move(wake),
                                             std::move(share));
  try {
    serving_->handler(std::move(request), HttpExchange::responder(exchange_));
  } catch (const std::exception& error) {
    QV_LOG_ERROR("http.handler_threw what={}", error.what());
  }
}

/// Sends what the handler gives until it is all. False if the connection is of no use after that.
net::awaitable<bool> HttpConnection::reply(Writing& writing) {
  while (!cut_) {
    HttpExchange::Piece piece = exchange_->take();
    if (piece.broken) co_return false;
    const bool last = piece.last;
    const bool good = piece.empty() ? co_await rest_for_reply(writing)
                                    : co_await send_piece(writing, std::move(piece));
    if (!good) co_return false;
    if (last) co_return true;
  }
  co_return false;
}

/// Waits for more of the reply, and meanwhile shows that we are here. False once the client is not.
net::awaitable<bool> HttpConnection::rest_for_reply(Writing& writing) {
  const Peer peer = look();
  if (peer == Peer::Gone) co_return false;
  const bool can_ping = writing.pings && writing.tail == kEventEnd;
  auto due = can_ping ? writing.sent_at + serving_->options.stream_ping : Clock::time_point::max();
  if (peer == Peer::HalfClosed) {
    // Nothing can be said to it without harm, so it counts as gone.
    if (writing.streams && !can_ping) co_return false;
    plan_probe(writing);
    due = std::min(due, writing.probe_at);
  }
  if (Clock::now() < due) {
    co_await rest(due);
    co_return true;
  }
  if (Clock::now() >= writing.probe_at) writing.probe_at = Clock::time_point::max();
  if (!writing.streams) {
    constexpr std::string_view kStillHere = "HTTP/1.1 102 Processing\r\n\r\n";
    const bool sent = co_await send({net::buffer(kStillHere), {}, {}}, false);
    co_return sent;
  }
  HttpExchange::Piece ping;
  ping.bytes = kPing;
  const bool sent = co_await send_piece(writing, std::move(ping));
  co_return sent;
}

/// A client that has closed its side for sending may still read, or be gone altogether: only what
/// is written to it shows which. An interim response, or a ping, does no harm; the second one fails
/// if the first met nobody.
void HttpConnection::plan_probe(Writing& writing) {
  constexpr std::chrono::milliseconds kWaitMax{5000};
  constexpr std::chrono::milliseconds kReplyWait{200};
  // An event stream costs its client nothing to hear, and may be in the way of its next one:
  // whether it is heard is asked at once, and again when the answer is bound to be there.
  constexpr std::chrono::milliseconds kStreamWait{10};
  // HTTP/1.0 knows no interim responses.
  if (writing.old_client && !writing.streams) return;
  if (writing.probe_at != Clock::time_point::max()) return;
  const bool is_first = writing.probe_wait.count() == 0;
  if (is_first) writing.probe_wait = writing.streams ? kStreamWait : kReplyWait;
  const bool at_once = is_first && writing.streams;
  writing.probe_at = Clock::now() + (at_once ? std::chrono::milliseconds(0) : writing.probe_wait);
  if (!at_once) writing.probe_wait = std::min(2 * writing.probe_wait, kWaitMax);
}

std::string HttpConnection::begin(Writing& writing, const HttpResponse& head, bool streams) {
  HttpFraming framing;
  framing.old_client = writing.old_client;
  framing.chunked = streams && !writing.old_client;
  if (!streams) framing.length = head.body.size();
  const bool has_end = !streams || framing.chunked;
  framing.keep_alive = writing.keep_alive && has_end && !serving_->stopping;
  writing.keep_alive = framing.keep_alive;
  writing.streams = streams;
  writing.chunked = framing.chunked;
  writing.has_body = writing.has_body && !is_bodiless(head.status);
  writing.pings = streams && writing.has_body && serving_->options.stream_ping.count() > 0 &&
                  is_event_stream(head);
  return render_head(head, framing);
}

net::awaitable<bool> HttpConnection::send_piece(Writing& writing, HttpExchange::Piece piece) {
  std::string before;
  if (piece.head) {
    before = begin(writing, *piece.head, piece.streams);
    if (!piece.streams) piece.bytes = std::move(piece.head->body);
  }
  std::string after;
  if (!writing.has_body) {
    piece.bytes.clear();
  } else if (writing.chunked) {
    if (!piece.bytes.empty()) {
      before += chunk_head(piece.bytes.size());
      after = "\r\n";
    }
    if (piece.last) after += "0\r\n\r\n";
  }
  if (writing.pings) {
    writing.tail.append(piece.bytes,
                        piece.bytes.size() - std::min<std::size_t>(2, piece.bytes.size()));
    writing.tail.erase(0, writing.tail.size() - 2);
    writing.sent_at = Clock::now();
  }
  const bool sent = co_await send(
      {net::buffer(before), net::buffer(piece.bytes), net::buffer(after)}, writing.streams);
  co_return sent;
}

/// Sends all of it in time: in the time for a reply, or for a stream, with progress in that time.
net::awaitable<bool> HttpConnection::send(Parts parts, bool by_progress) {
  beast::buffers_suffix<Parts> rest(parts);
  error_code error;
  // Nearly always the system takes all of it at once.
  std::size_t written = stream_.socket().write_some(rest, error);
  if (error == net::error::would_block) error = {};
  for (bool first = true; !error; first = false) {
    rest.consume(written);
    if (exchange_) exchange_->sent(written);
    if (beast::buffer_bytes(rest) == 0) break;
    if (first || by_progress) stream_.expires_after(serving_->options.write_timeout);
    written =
        co_await stream_.async_write_some(rest, net::redirect_error(net::use_awaitable, error));
  }
  stream_.expires_never();
  co_return !error;
}

/// Replies, and ends the connection: where the next request begins is not known. What the client
/// still sends is read for a moment, since closing on unread bytes would destroy the reply.
net::awaitable<void> HttpConnection::reject(HttpResponse response, bool head_only) {
  constexpr std::chrono::milliseconds kLinger{500};
  constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;
  Writing writing;
  writing.has_body = !head_only;
  writing.keep_alive = false;
  HttpExchange::Piece piece;
  piece.head = std::move(response);
  const bool sent = co_await send_piece(writing, std::move(piece));
  if (!sent) co_return;
  error_code error;
  stream_.socket().shutdown(Socket::shutdown_send, error);
  buffer_.clear();
  stream_.expires_after(kLinger);
  for (std::size_t total = 0; !error && total < kLingerBytesMax;) {
    total += co_await stream_.async_read_some(buffer_.prepare(kSmallReadBytes),
                                              net::redirect_error(net::use_awaitable, error));
  }
}

}  // namespace quiver::app
