#include "api/rest/rest_endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/rest/arguments.h"
#include "api/rest/call_headers.h"
#include "api/rest/openapi.h"
#include "api/rest/target.h"
#include "core/http_cors.h"
#include "core/http_problem.h"
#include "core/json_reader.h"
#include "core/text.h"
#include "service/problems.h"

namespace quiver::api {
namespace {

constexpr int kOk = 200;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kNotAcceptable = 406;
constexpr int kContentTooLarge = 413;
constexpr int kUnsupportedMediaType = 415;
constexpr int kUnprocessableContent = 422;
constexpr std::string_view kDescriptionPath = "/api/v1/openapi.json";
constexpr const char* kMethods = "GET, HEAD, POST, PUT, DELETE";

const CorsTerms& cors_terms() {
  static const CorsTerms terms{
      {"accept", "authorization", "content-type", "idempotency-key", "request-timeout"},
      "",
      "Allow, Retry-After"};
  return terms;
}

HttpResponse json_response(std::string body) {
  return {kOk, {{"content-type", "application/json"}}, std::move(body)};
}

HttpResponse wrong_method(std::vector<std::string> methods) {
  if (std::find(methods.begin(), methods.end(), "GET") != methods.end()) {
    methods.emplace_back("HEAD");
  }
  std::string list;
  for (const auto& method : methods) list.append(list.empty() ? "" : ", ").append(method);
  HttpResponse response =
      problem(kMethodNotAllowed, ErrorCode::InvalidArgument, "allowed methods: " + list);
  response.headers["allow"] = list;
  return response;
}

HttpResponse unknown_route(const HttpRequest& request) {
  return problem(kNotFound, ErrorCode::NotFound,
                 "there is nothing at " + shown_text(path_of(request.target)) + "; GET " +
                     std::string(kDescriptionPath) + " lists what there is");
}

/// HEAD is answered as GET is; the listener leaves out the body.
std::string_view method_of(const HttpRequest& request) {
  return request.method == "HEAD" ? std::string_view("GET") : std::string_view(request.method);
}

/// What is wrong with the body before it is read, if anything.
std::optional<HttpResponse> body_fault(const HttpRequest& request, std::size_t bytes_max) {
  if (request.body.empty()) return std::nullopt;
  const std::string_view method = method_of(request);
  if (!takes_body(method)) {
    return problem({ErrorCode::InvalidArgument,
                    std::string(method) + " takes no body; give its fields as query parameters"});
  }
  const auto encoding = header(request, "content-encoding");
  if (encoding && lower(*encoding) != "identity") {
    return problem(kUnsupportedMediaType, ErrorCode::InvalidArgument,
                   "header Content-Encoding: must be absent; send the body as it is");
  }
  const auto type = header(request, "content-type");
  if (!type || !is_json_type(*type)) {
    return problem(kUnsupportedMediaType, ErrorCode::InvalidArgument,
                   "header Content-Type: must be application/json");
  }
  if (request.body.size() <= bytes_max) return std::nullopt;
  return problem(kContentTooLarge, ErrorCode::ResourceExhausted,
                 "body too large: " + std::to_string(request.body.size()) + " bytes, " +
                     std::to_string(bytes_max) + " bytes max");
}

/// Whether a failed write has certainly changed nothing, and may be corrected.
bool is_without_effect(ErrorCode code) {
  return code == ErrorCode::InvalidArgument || code == ErrorCode::NotFound ||
         code == ErrorCode::FailedPrecondition || code == ErrorCode::PermissionDenied;
}

}  // namespace

/// A request on its way to its operation.
struct RestEndpoint::Call {
  HttpRequest http;
  std::shared_ptr<HttpResponder> responder;
  Target target;
  Routes::Match match;
  CallContext context;
  /// Of a write, if the client gave one.
  std::optional<RequestId> key;

  /// Of the memory for JSON.
  std::shared_ptr<void> share;

  /// Gives up the text of the body, and takes a share of `memory` for what is in it.
  Result<Json> read_arguments(InFlight& memory);
  Result<JsonReading> read_body(InFlight& memory);
};

Result<Json> RestEndpoint::Call::read_arguments(InFlight& memory) {
  std::optional<Json> body;
  if (!http.body.empty()) {
    QV_TRY(JsonReading read, read_body(memory));
    std::string().swap(http.body);
    if (read.kind != JsonReading::Kind::Whole) {
      return Error{ErrorCode::InvalidArgument, "body: " + read.problem};
    }
    body = std::move(read.root);
  }
  return arguments_of(match, target, std::move(body));
}

Result<JsonReading> RestEndpoint::Call::read_body(InFlight& memory) {
  JsonReading read;
  for (const std::size_t bytes : {usual_json_memory(http.body.size()), kJsonMemoryMax}) {
    share = nullptr;
    share = memory.take(bytes);
    if (!share) {
      return Error{ErrorCode::ResourceExhausted,
                   "too many large requests at once: wait for earlier ones"};
    }
    read = read_json_text(http.body, bytes);
    if (read.kind != JsonReading::Kind::Refused) break;
  }
  return read;
}

RestEndpoint::RestEndpoint(const service::Registry& all, const service::Registry& shown,
                           service::Executor& executor, Submit submit, RestOptions options)
    : shown_(shown),
      executor_(executor),
      submit_(std::move(submit)),
      options_(std::move(options)),
      routes_(all),
      description_(service::compact(openapi(routes_, shown, options_.version))) {}

bool RestEndpoint::serves(std::string_view path) noexcept {
  return path.starts_with(kApiPrefix) &&
         (path.size() == kApiPrefix.size() || path[kApiPrefix.size()] == '/');
}

std::string RestEndpoint::route_of(const HttpRequest& request) const {
  if (path_of(request.target) == kDescriptionPath) return std::string(kDescriptionPath);
  const auto target = parse_target(path_of(request.target));
  if (!target.ok()) return "";
  const auto match = routes_.find(method_of(request), target->segments);
  return match.route == nullptr ? "" : match.route->path;
}

void RestEndpoint::handle(HttpRequest request, std::shared_ptr<HttpResponder> responder) const {
  if (const auto refused = refused_access(request, options_.access)) {
    const bool forbidden = refused->status == kForbidden;
    return responder->respond(problem(
        refused->status, forbidden ? ErrorCode::PermissionDenied : ErrorCode::InvalidArgument,
        refused->message));
  }
  if (auto answer = cors_preflight(request, options_.access, cors_terms(), kMethods)) {
    return responder->respond(*std::move(answer));
  }
  responder = with_cors_headers(std::move(responder), request, options_.access, cors_terms());
  const auto call = std::make_shared<Call>();
  call->http = std::move(request);
  if (auto response = answer_now(*call)) return responder->respond(*std::move(response));
  call->responder = responder;
  responder->on_gone([gone = call->context.cancel] { gone.cancel(); });
  const Status submitted = submit_([this, call] { run(*call); });
  if (!submitted.ok()) responder->respond(problem(submitted.error()));
}

std::optional<HttpResponse> RestEndpoint::answer_now(Call& call) const {
  const HttpRequest& request = call.http;
  if (!takes_json(request)) {
    return problem(kNotAcceptable, ErrorCode::InvalidArgument,
                   "header Accept: must allow application/json");
  }
  const std::string_view method = method_of(request);
  if (path_of(request.target) == kDescriptionPath) {
    return method == "GET" ? json_response(description_) : wrong_method({"GET"});
  }
  auto target = parse_target(request.target);
  if (!target.ok()) return problem(target.error());
  call.target = *std::move(target);
  call.match = routes_.find(method, call.target.segments);
  if (call.match.methods.empty()) return unknown_route(request);
  if (call.match.route == nullptr) return wrong_method(std::move(call.match.methods));
  const service::Operation& operation = *call.match.route->operation;
  if (shown_.find(operation.name) == nullptr) {
    return problem({ErrorCode::PermissionDenied, shown_.unknown("operation", operation.name)});
  }
  if (auto fault = body_fault(request, options_.body_bytes_max)) return fault;
  const auto key = idempotency_key(request);
  if (!key.ok()) return problem(key.error());
  const auto timeout = request_timeout(request, options_.call_timeout);
  if (!timeout.ok()) return problem(timeout.error());
  call.context.deadline = std::chrono::steady_clock::now() + *timeout;
  call.context.cancel = CancelToken::make();
  if (operation.access != service::Access::Read) {
    call.key = *key;
    if (!call.key) call.context.request_id = RequestId::random();
  }
  return std::nullopt;
}

void RestEndpoint::run(Call& call) const {
  call.responder->respond(carry_out(call));
}

HttpResponse RestEndpoint::carry_out(Call& call) const {
  const auto arguments = call.read_arguments(*options_.json_memory);
  if (!arguments.ok()) return problem(arguments.error());
  if (const auto alive = call.context.check(); !alive.ok()) return problem(alive.error());
  const auto& operation = call.match.route->operation->name;
  auto use = UsedKeys::Use::Again;
  if (call.key) {
    call.context.request_id = write_id(*call.key, operation, *arguments);
    use = used_keys_->use(*call.key, call.context.request_id);
  }
  if (use == UsedKeys::Use::Other) {
    return problem(kUnprocessableContent, ErrorCode::InvalidArgument,
                   "header Idempotency-Key: was used for another request; repeat that one as it "
                   "was, or give this one a key of its own");
  }
  const auto answer = executor_.invoke(call.context, operation, *arguments);
  if (answer.ok()) return json_response(service::compact(*answer));
  if (use == UsedKeys::Use::First && is_without_effect(answer.error().code)) {
    used_keys_->free(*call.key);
  }
  return problem(answer.error());
}

}  // namespace quiver::api
