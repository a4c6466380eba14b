#include "cluster/coordination/etcd_gateway.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "cluster/coordination/etcd_json.h"

namespace quiver::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{25};
constexpr milliseconds kLongestPause{200};

// As gRPC numbers them.
constexpr int kInvalidArgument = 3;
constexpr int kNotFound = 5;
constexpr int kPermissionDenied = 7;
constexpr int kResourceExhausted = 8;
constexpr int kFailedPrecondition = 9;
constexpr int kOutOfRange = 11;
constexpr int kUnimplemented = 12;
constexpr int kUnauthenticated = 16;

EtcdReply done(Json body) {
  EtcdReply reply;
  reply.state = EtcdReply::State::Done;
  reply.body = std::move(body);
  return reply;
}

EtcdReply failure(EtcdReply::State state, ErrorCode code, std::string message, int grpc_code = 0) {
  return {state, {}, {code, std::move(message)}, grpc_code};
}

/// For reasons with which etcd refuses a request before it carries it out, what they are to us.
std::optional<ErrorCode> refused_with(int grpc_code) {
  switch (grpc_code) {
    case kInvalidArgument: return ErrorCode::InvalidArgument;
    case kNotFound: return ErrorCode::NotFound;
    case kPermissionDenied:
    case kUnauthenticated: return ErrorCode::PermissionDenied;
    case kResourceExhausted: return ErrorCode::ResourceExhausted;
    case kFailedPrecondition:
    case kOutOfRange:
    case kUnimplemented: return ErrorCode::FailedPrecondition;
    default: return std::nullopt;
  }
}

EtcdReply refusal(const std::string& endpoint, const HttpResponse& response) {
  const auto said = etcd::parse_refusal(response.body);
  const std::string message = endpoint + ": " + said.message;
  if (const auto code = refused_with(said.code)) {
    return failure(EtcdReply::State::Refused, *code, message, said.code);
  }
  // Said in answer to our header, before the request is looked at.
  if (said.message == "etcdserver: no leader") {
    return failure(EtcdReply::State::NotDone, ErrorCode::Unavailable, message, said.code);
  }
  if (response.status == 404 && said.code == 0) {
    return failure(EtcdReply::State::NotDone, ErrorCode::Unavailable,
                   endpoint +
                       " does not offer etcd's v3 JSON gateway. An etcd that was started "
                       "from a file needs enable-grpc-gateway: true");
  }
  return failure(EtcdReply::State::Unknown, ErrorCode::Unavailable, message, said.code);
}

/// The gateway sends trailers after an error, and not every HTTP client takes them: then the end of
/// the response is missing, but not of what it says.
bool answered(const HttpReply& reply) {
  if (reply.answered()) return true;
  const int status = reply.response.status;
  return status != 0 && status != 200 && etcd::parse_refusal(reply.response.body).code != 0;
}

bool wants_new_token(const EtcdReply& reply) {
  return reply.grpc_code == kUnauthenticated ||
         reply.error.message.find("invalid auth token") != std::string::npos ||
         reply.error.message.find("revision in header is old") != std::string::npos;
}

}  // namespace

EtcdGateway::EtcdGateway(HttpClient& http, EtcdOptions options)
    : http_(http), options_(std::move(options)) {}

void EtcdGateway::turn_from(std::size_t endpoint) {
  // Of several calls that saw it fail, one turns.
  first_.compare_exchange_strong(endpoint, (endpoint + 1) % options_.endpoints.size());
}

HttpRequest EtcdGateway::request(std::string_view path, std::string body) {
  HttpRequest out{"POST", std::string(path), {{"content-type", "application/json"}}, {}};
  out.body = std::move(body);
  // A member without a leader says so at once instead of taking what it cannot carry out.
  out.headers.emplace("grpc-metadata-hasleader", "true");
  const MutexLock lock(mutex_);
  if (!token_.empty()) out.headers.emplace("authorization", token_);
  return out;
}

HttpReply EtcdGateway::post(const CallContext& call, const std::string& endpoint,
                            std::string_view path, const std::string& body) {
  return http_.send(call, endpoint, request(path, body));
}

EtcdReply EtcdGateway::authenticate(const CallContext& call, const std::string& endpoint) {
  {
    const MutexLock lock(mutex_);
    if (options_.user.empty() || !token_.empty()) return done({});
  }
  const Json credentials = {{"name", options_.user}, {"password", options_.password}};
  const auto reply = post(call, endpoint, "/v3/auth/authenticate", credentials.dump());
  if (!answered(reply)) {
    return failure(EtcdReply::State::NotDone, ErrorCode::Unavailable, reply.why);
  }
  if (reply.response.status != 200) {
    auto refused = refusal(endpoint, reply.response);
    // The request itself was not sent yet.
    if (refused.state == EtcdReply::State::Unknown) refused.state = EtcdReply::State::NotDone;
    return refused;
  }
  const Json body = Json::parse(reply.response.body, nullptr, false);
  if (!body.is_object() || !body.contains("token") || !body["token"].is_string()) {
    return failure(EtcdReply::State::NotDone, ErrorCode::Unavailable,
                   endpoint + ": the reply to the log-in has no token");
  }
  const MutexLock lock(mutex_);
  token_ = body["token"].get<std::string>();
  return done({});
}

EtcdReply EtcdGateway::ask(const CallContext& call, const std::string& endpoint,
                           std::string_view path, const std::string& body) {
  auto admitted = authenticate(call, endpoint);
  if (admitted.state != EtcdReply::State::Done) return admitted;
  const auto reply = post(call, endpoint, path, body);
  if (reply.state == HttpReply::State::NotSent) {
    return failure(EtcdReply::State::NotDone, ErrorCode::Unavailable, reply.why);
  }
  if (!answered(reply)) {
    return failure(EtcdReply::State::Unknown, ErrorCode::Unavailable, reply.why);
  }
  if (reply.response.status != 200) return refusal(endpoint, reply.response);
  Json parsed = Json::parse(reply.response.body, nullptr, false);
  if (parsed.is_object()) return done(std::move(parsed));
  return failure(EtcdReply::State::Unknown, ErrorCode::Unavailable,
                 endpoint + ": the reply is not one of etcd's gateway");
}

EtcdReply EtcdGateway::attempt(const CallContext& call, const std::string& endpoint,
                               std::string_view path, const std::string& body) {
  auto reply = ask(call, endpoint, path, body);
  if (options_.user.empty() || !wants_new_token(reply)) return reply;
  // etcd forgets its tokens when it restarts. It refused the request, so it may be sent again.
  drop_token();
  return ask(call, endpoint, path, body);
}

void EtcdGateway::drop_token() {
  const MutexLock lock(mutex_);
  token_.clear();
}

EtcdReply EtcdGateway::call(const CallContext& call, std::string_view path, const Json& request,
                            Repeat repeat) {
  if (auto fresh = call.check(); !fresh.ok()) {
    return failure(EtcdReply::State::NotDone, fresh.error().code, fresh.error().message);
  }
  const auto started = steady_clock::now();
  auto deadline = started + options_.call_timeout;
  if (call.deadline) deadline = std::min(deadline, *call.deadline);
  const std::string body = request.dump();
  auto last = failure(EtcdReply::State::NotDone, ErrorCode::Unavailable, "out of time");
  for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    for (std::size_t left = options_.endpoints.size(); left > 0; --left) {
      const std::size_t endpoint = first_.load();
      const auto now = steady_clock::now();
      if (now >= deadline || call.cancel.cancelled()) return last;
      CallContext one = call;
      // A read that one member keeps leaves time for the others.
      one.deadline = now + (deadline - now) / (repeat == Repeat::Safe ? left : 1);
      last = attempt(one, options_.endpoints[endpoint], path, body);
      if (last.state == EtcdReply::State::Done || last.state == EtcdReply::State::Refused) {
        return last;
      }
      turn_from(endpoint);
      if (last.state == EtcdReply::State::Unknown && repeat == Repeat::Never) return last;
    }
    if (steady_clock::now() + pause >= std::min(deadline, started + options_.patience)) return last;
    std::this_thread::sleep_for(pause);
  }
}

HttpReply EtcdGateway::stream(const CallContext& call, std::string_view path, const Json& request,
                              const HttpSink& sink) {
  const std::size_t endpoint = first_.load();
  const auto& origin = options_.endpoints[endpoint];
  CallContext login = call;
  login.deadline = steady_clock::now() + options_.call_timeout;
  if (auto admitted = authenticate(login, origin); admitted.state != EtcdReply::State::Done) {
    turn_from(endpoint);
    return {HttpReply::State::NotSent, {0, {}, {}}, std::move(admitted.error.message)};
  }
  auto reply =
      http_.stream(call, origin, this->request(path, request.dump()), options_.watch_silence, sink);
  if (reply.state == HttpReply::State::NotSent) turn_from(endpoint);
  if (reply.response.status == 401) drop_token();
  return reply;
}

}  // namespace quiver::cluster
