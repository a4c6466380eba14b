#include "app/http_client.h"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <map>
#include <utility>
#include <vector>

#include <httplib.h>

#include "app/socket_cut.h"
#include "core/mutex.h"

namespace quiver::app {
namespace {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// Keeps SIGPIPE from this thread: a connection that the peer has closed is no reason to end.
class PipeSignalBlock {
 public:
  PipeSignalBlock() {
    sigset_t pending{};
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~PipeSignalBlock() {
    const timespec at_once{};
    if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalBlock(const PipeSignalBlock&) = delete;
  PipeSignalBlock& operator=(const PipeSignalBlock&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

/// A connection that carries one request at a time.
struct Connection {
  explicit Connection(const std::string& origin, const TlsFiles& tls)
      : client(origin, tls.certificate.string(), tls.key.string()) {
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_decompress(false);
    client.set_url_encode(false);
    client.set_follow_location(false);
    if (!tls.ca.empty()) client.set_ca_cert_path(tls.ca.string());
  }

  httplib::Client client;
  int socket = -1;
  Time idle_since;
};

/// How one request goes: until when, and what became of its body.
struct Exchange {
  Time deadline;
  milliseconds silence;
  const HttpSink* sink = nullptr;
  std::size_t body_max = 0;
  bool too_long = false;
  bool sink_ended = false;
  HttpResponse response{0, {}, {}};
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Whether no byte of a request was sent when this is why it failed.
bool before_sending(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::BindIPAddress:
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification: return true;
    default: return false;
  }
}

std::string_view describe(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection: return "no connection";
    case httplib::Error::ConnectionTimeout: return "no connection in time";
    case httplib::Error::SSLConnection: return "the TLS handshake failed";
    case httplib::Error::SSLLoadingCerts: return "the certificates cannot be loaded";
    case httplib::Error::SSLServerVerification:
      return "the server's certificate is not one that the CA vouches for";
    case httplib::Error::Read: return "the connection was lost or silent while waiting";
    case httplib::Error::Write: return "the connection was lost while sending";
    default: return "the request failed";
  }
}

httplib::Request to_library(const HttpRequest& request, Exchange& exchange) {
  httplib::Request out;
  out.method = request.method;
  out.path = request.target;
  for (const auto& [name, value] : request.headers) out.set_header(name, value);
  out.body = request.body;
  out.response_handler = [&exchange](const httplib::Response& response) {
    exchange.response.status = response.status;
    for (const auto& [name, value] : response.headers) {
      exchange.response.headers.emplace(lower(name), value);
    }
    return true;
  };
  out.content_receiver = [&exchange](const char* data, std::size_t size, std::uint64_t,
                                     std::uint64_t) {
    if (exchange.sink != nullptr && exchange.response.status == 200) {
      exchange.sink_ended = !(*exchange.sink)({data, size});
      return !exchange.sink_ended;
    }
    exchange.too_long = exchange.response.body.size() + size > exchange.body_max;
    if (!exchange.too_long) exchange.response.body.append(data, size);
    return !exchange.too_long;
  };
  return out;
}

class HttplibClient final : public HttpClient {
 public:
  explicit HttplibClient(const HttpClientOptions& options) : options_(options) {}

  HttpReply send(const CallContext& call, const std::string& origin,
                 const HttpRequest& request) override {
    Exchange exchange;
    exchange.deadline =
        call.deadline.value_or(std::chrono::steady_clock::now() + options_.call_timeout);
    exchange.silence = milliseconds::max();
    return carry_out(call, origin, request, exchange);
  }

  HttpReply stream(const CallContext& call, const std::string& origin, const HttpRequest& request,
                   milliseconds silence, const HttpSink& sink) override {
    Exchange exchange;
    exchange.deadline = call.deadline.value_or(Time::max());
    exchange.silence = silence;
    exchange.sink = &sink;
    return carry_out(call, origin, request, exchange);
  }

 private:
  HttpReply carry_out(const CallContext& call, const std::string& origin,
                      const HttpRequest& request, Exchange& exchange);
  HttpReply exchange_on(Connection& connection, const CallContext& call, const HttpRequest& request,
                        Exchange& exchange);
  void set_timeouts(Connection& connection, const Exchange& exchange) const;
  /// Errors: InvalidArgument for an origin or TLS files that the library does not take.
  Result<std::unique_ptr<Connection>> take(const std::string& origin);
  void give_back(const std::string& origin, std::unique_ptr<Connection> connection);

  const HttpClientOptions options_;
  CutTimer timer_;
  Mutex mutex_;
  std::map<std::string, std::vector<std::unique_ptr<Connection>>> idle_ QV_GUARDED_BY(mutex_);
};

Result<std::unique_ptr<Connection>> HttplibClient::take(const std::string& origin) {
  {
    const MutexLock lock(mutex_);
    auto& idle = idle_[origin];
    const Time oldest = std::chrono::steady_clock::now() - options_.idle_time;
    std::erase_if(idle, [&](const auto& held) { return held->idle_since < oldest; });
    if (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      return connection;
    }
  }
  try {
    auto connection = std::make_unique<Connection>(origin, options_.tls);
    if (connection->client.is_valid()) return connection;
    return Error{ErrorCode::InvalidArgument, "the TLS certificate or key cannot be used"};
  } catch (const std::exception& failure) {
    return Error{ErrorCode::InvalidArgument, failure.what()};
  }
}

void HttplibClient::give_back(const std::string& origin, std::unique_ptr<Connection> connection) {
  connection->client.set_socket_options(nullptr);
  connection->idle_since = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  auto& idle = idle_[origin];
  if (idle.size() < options_.idle_connections_max) idle.push_back(std::move(connection));
}

void HttplibClient::set_timeouts(Connection& connection, const Exchange& exchange) const {
  // The timer ends the whole call; these end what the library waits for within it.
  const auto left =
      std::chrono::ceil<milliseconds>(exchange.deadline - std::chrono::steady_clock::now());
  const auto bounded = std::clamp(left, milliseconds(1), milliseconds(std::chrono::hours(24)));
  connection.client.set_connection_timeout(std::min(bounded, options_.connect_timeout));
  connection.client.set_read_timeout(std::min(bounded, exchange.silence));
  connection.client.set_write_timeout(std::min(bounded, exchange.silence));
}

HttpReply HttplibClient::exchange_on(Connection& connection, const CallContext& call,
                                     const HttpRequest& request, Exchange& exchange) {
  const auto cut = std::make_shared<SocketCut>();
  if (connection.client.is_socket_open() > 0) cut->follow(connection.socket);
  connection.client.set_socket_options([cut, &connection](int socket) {
    connection.socket = socket;
    cut->follow(socket);
  });
  set_timeouts(connection, exchange);
  const bool timed = exchange.deadline != Time::max();
  if (timed) timer_.add(exchange.deadline, cut);
  const auto watch = call.cancel.watch([weak = std::weak_ptr(cut)] {
    if (const auto held = weak.lock()) held->cut();
  });

  const auto outgoing = to_library(request, exchange);
  const auto result = connection.client.send(outgoing);
  if (timed) timer_.remove(exchange.deadline, cut);

  HttpReply reply;
  reply.response = std::move(exchange.response);
  if (result || exchange.sink_ended) {
    reply.state = HttpReply::State::Answered;
    return reply;
  }
  reply.state = before_sending(result.error()) ? HttpReply::State::NotSent : HttpReply::State::Lost;
  if (exchange.too_long) {
    reply.why = "the response is longer than " + std::to_string(exchange.body_max) + " bytes";
  } else if (cut->was_cut()) {
    reply.why = call.cancel.cancelled() ? "cancelled" : "no answer in time";
  } else {
    reply.why = describe(result.error());
  }
  return reply;
}

HttpReply HttplibClient::carry_out(const CallContext& call, const std::string& origin,
                                   const HttpRequest& request, Exchange& exchange) {
  const auto not_sent = [&origin](const std::string& why) {
    return HttpReply{HttpReply::State::NotSent, {0, {}, {}}, origin + ": " + why};
  };
  if (auto fresh = call.check(); !fresh.ok()) return not_sent(fresh.error().message);
  exchange.body_max = options_.response_bytes_max;
  const PipeSignalBlock no_pipe_signal;
  auto connection = take(origin);
  if (!connection.ok()) return not_sent(connection.error().message);
  try {
    auto reply = exchange_on(**connection, call, request, exchange);
    if (!reply.answered()) {
      reply.why = origin + ": " + reply.why;
    } else if (!exchange.sink_ended) {
      give_back(origin, std::move(*connection));
    }
    return reply;
  } catch (const std::exception& failure) {
    return HttpReply{HttpReply::State::Lost, {0, {}, {}}, origin + ": " + failure.what()};
  }
}

Status check_readable(const char* what, const std::filesystem::path& file) {
  if (file.empty() || ::access(file.c_str(), R_OK) == 0) return Done{};
  return Error{ErrorCode::InvalidArgument,
               std::string("TLS: the ") + what + " file " + file.string() + " cannot be read"};
}

}  // namespace

Result<std::unique_ptr<HttpClient>> make_http_client(const HttpClientOptions& options) {
  if (options.tls.certificate.empty() != options.tls.key.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "TLS: a certificate needs its key, and a key its certificate"};
  }
  QV_CHECK(check_readable("CA", options.tls.ca));
  QV_CHECK(check_readable("certificate", options.tls.certificate));
  QV_CHECK(check_readable("key", options.tls.key));
  return std::unique_ptr<HttpClient>(std::make_unique<HttplibClient>(options));
}

}  // namespace quiver::app
