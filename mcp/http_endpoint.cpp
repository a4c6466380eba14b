#include "mcp/http_endpoint.h"

#include <optional>
#include <utility>
#include <variant>

#include "core/limits.h"
#include "mcp/batch.h"
#include "mcp/http_headers.h"
#include "mcp/request_meta.h"

namespace quiver::mcp {
namespace {

constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kNotAcceptable = 406;
constexpr int kContentTooLarge = 413;
constexpr int kUnsupportedMediaType = 415;

HttpResponse json_response(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

HttpResponse fault_response(int status, const Fault& fault) {
  return json_response(status, error_reply(fault));
}

/// What HTTP itself objects to, before there is a message: an error under no id.
HttpResponse refusal(int status, std::string message) {
  return fault_response(status, {nullptr, {rpc::kInvalidRequest, std::move(message)}});
}

std::optional<HttpResponse> access_fault(const HttpRequest& request,
                                         const HttpEndpointOptions& options) {
  const auto host = header(request, "host");
  if (!host) return refusal(kBadRequest, "header Host: required");
  if (!is_allowed_host(*host, options.allowed_hosts)) {
    return refusal(kForbidden, "host " + display(*host) + " is not allowed");
  }
  const auto origin = header(request, "origin");
  if (origin && !is_allowed_origin(*origin, options.allowed_origins)) {
    return refusal(kForbidden, "origin " + display(*origin) + " is not allowed");
  }
  return std::nullopt;
}

std::optional<HttpResponse> form_fault(const HttpRequest& request) {
  if (request.method != "POST") {
    HttpResponse response = refusal(kMethodNotAllowed, "this endpoint takes POST alone");
    response.headers["allow"] = "POST";
    return response;
  }
  const auto type = header(request, "content-type");
  if (!type || !is_json_type(*type)) {
    return refusal(kUnsupportedMediaType, "header Content-Type: must be application/json");
  }
  const auto accept = header(request, "accept");
  if (accept && !accepts_replies(*accept)) {
    return refusal(kNotAcceptable,
                   "header Accept: must allow application/json and text/event-stream");
  }
  if (request.body.size() > limits::kMessageBytesMax) {
    return refusal(kContentTooLarge, "message too large: " + std::to_string(request.body.size()) +
                                         " bytes, " + std::to_string(limits::kMessageBytesMax) +
                                         " bytes max");
  }
  return std::nullopt;
}

RpcError mismatch(std::string message) {
  return {rpc::kHeaderMismatch, "header mismatch: " + std::move(message)};
}

std::optional<RpcError> compare(const HttpRequest& http, const char* name, const Json& body) {
  const auto value = header(http, name);
  if (!value) return mismatch(std::string(name) + " is required");
  const auto decoded = decode_header(*value);
  if (!decoded) return mismatch(std::string(name) + " has invalid characters");
  if (body != *decoded) {
    return mismatch(std::string(name) + " is " + display(*decoded) + ", the body says " +
                    (body.is_string() ? display(body.get_ref<const std::string&>()) : "nothing"));
  }
  return std::nullopt;
}

/// Whether a modern request's headers say what its body says: between us and the client, others may
/// have acted on them.
std::optional<RpcError> header_fault(const HttpRequest& http, const Request& request,
                                     const Json& version) {
  const auto named = header(http, "mcp-protocol-version");
  if (!named) return mismatch("mcp-protocol-version is required");
  if (version != *named) {
    return mismatch("mcp-protocol-version is " + display(*named) + ", the body says " +
                    display(version.get_ref<const std::string&>()));
  }
  const auto method = header(http, "mcp-method");
  if (!method) return mismatch("mcp-method is required");
  if (*method != request.method) {
    return mismatch("mcp-method is " + display(*method) + ", the body says " +
                    display(request.method));
  }
  if (request.method != "tools/call") return std::nullopt;
  const auto name = request.params.find("name");
  return compare(http, "mcp-name", name == request.params.end() ? Json(nullptr) : *name);
}

/// Replies with JSON, and nothing before it.
class JsonOutlet final : public Outlet {
 public:
  explicit JsonOutlet(std::shared_ptr<HttpResponder> responder)
      : responder_(std::move(responder)) {}
  ~JsonOutlet() override {
    // Cancelled, or nothing in it wanted an answer.
    if (responder_) responder_->respond({kAccepted, {}, ""});
  }
  JsonOutlet(const JsonOutlet&) = delete;
  JsonOutlet& operator=(const JsonOutlet&) = delete;

  bool tell(const std::string&) override { return false; }
  bool send(const std::string&) override { return false; }
  void reply(Reply reply) override {
    if (reply.text.empty()) return;
    int status = kOk;
    if (reply.refused) status = reply.error == rpc::kMethodNotFound ? kNotFound : kBadRequest;
    std::exchange(responder_, nullptr)->respond(json_response(status, std::move(reply.text)));
  }

 private:
  std::shared_ptr<HttpResponder> responder_;
};

}  // namespace

HttpEndpoint::HttpEndpoint(const Server& server, HttpEndpointOptions options)
    : server_(server), options_(std::move(options)) {}

void HttpEndpoint::handle(const HttpRequest& request, ResponderPtr responder) const {
  if (auto refused = access_fault(request, options_))
    return responder->respond(*std::move(refused));
  if (auto refused = form_fault(request)) return responder->respond(*std::move(refused));
  auto json = read_json(request.body);
  if (const auto* fault = std::get_if<Fault>(&json)) {
    return responder->respond(fault_response(kBadRequest, *fault));
  }
  auto& root = std::get<Json>(json);

  const auto version = header(request, "mcp-protocol-version");
  const Revision* named = version ? find_revision(*version) : &assumed_revision();
  if (root.is_array()) {
    if (named == nullptr) {
      const Fault fault{nullptr, *version_fault(Json(*version))};
      return responder->respond(fault_response(kBadRequest, fault));
    }
    return take_batch(std::move(root), *named, std::move(responder));
  }
  auto message = read_message(std::move(root));
  if (const auto* fault = std::get_if<Fault>(&message)) {
    return responder->respond(fault_response(kBadRequest, *fault));
  }
  take_message(request, std::move(std::get<Message>(message)), named, std::move(responder));
}

void HttpEndpoint::take_batch(Json messages, const Revision& revision,
                              ResponderPtr responder) const {
  if (const auto fault = batch_fault(messages, revision)) {
    return responder->respond(fault_response(kBadRequest, *fault));
  }
  const auto session = std::make_shared<Session>(revision);
  const auto batch = std::make_shared<Batch>(std::make_shared<JsonOutlet>(std::move(responder)));
  for (auto& json : messages) {
    auto message = read_batched(std::move(json));
    if (const auto* fault = std::get_if<Fault>(&message)) {
      batch->add(error_reply(*fault));
    } else if (auto* request = std::get_if<Request>(&std::get<Message>(message))) {
      server_.handle(std::move(*request), {session, std::make_shared<BatchOutlet>(batch)});
    }
  }
}

void HttpEndpoint::take_message(const HttpRequest& http, Message message, const Revision* named,
                                ResponderPtr responder) const {
  if (auto* request = std::get_if<Request>(&message)) {
    return take_request(http, std::move(*request), named, std::move(responder));
  }
  const auto* notification = std::get_if<Notification>(&message);
  const Json* claimed = notification == nullptr ? nullptr : claimed_version(notification->params);
  HttpResponse response{kAccepted, {}, ""};
  if (claimed != nullptr) {
    if (const auto fault = version_fault(*claimed)) {
      response = fault_response(kBadRequest, {nullptr, *fault});
    }
  } else if (named == nullptr) {
    const Json version = *header(http, "mcp-protocol-version");
    response = fault_response(kBadRequest, {nullptr, *version_fault(version)});
  } else if (notification == nullptr && named->era == Era::Modern) {
    response = refusal(kBadRequest, "a response has no place in " + std::string(named->version));
  }
  responder->respond(std::move(response));
}

void HttpEndpoint::take_request(const HttpRequest& http, Request request, const Revision* named,
                                ResponderPtr responder) const {
  const Json* claimed = claimed_version(request.params);
  std::optional<RpcError> fault;
  if (claimed != nullptr) {
    fault = version_fault(*claimed);
    if (!fault) fault = header_fault(http, request, *claimed);
  } else if (named == nullptr) {
    fault = version_fault(Json(*header(http, "mcp-protocol-version")));
  } else if (named->era == Era::Modern) {
    fault = missing_meta(request.params);
  }
  if (fault) {
    return responder->respond(fault_response(kBadRequest, {request.id, *std::move(fault)}));
  }

  // Past here a claim is good, and without one `named` is a legacy revision.
  Exchange exchange;
  if (claimed == nullptr) {
    exchange.session = std::make_shared<Session>(*named);
  } else {
    exchange.gone = CancelToken::make();
    responder->on_gone([gone = exchange.gone] { gone.cancel(); });
  }
  exchange.outlet = std::make_shared<JsonOutlet>(std::move(responder));
  server_.handle(std::move(request), std::move(exchange));
}

}  // namespace quiver::mcp
