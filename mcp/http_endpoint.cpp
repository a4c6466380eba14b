#include "mcp/http_endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "mcp/batch.h"
#include "mcp/cors.h"
#include "mcp/params.h"
#include "mcp/request_meta.h"

namespace quiver::mcp {
namespace {

constexpr const char* kSessionHeader = "mcp-session-id";
constexpr const char* kVersionHeader = "mcp-protocol-version";
constexpr const char* kMethods = "POST, GET, DELETE";

bool is_modern(const Revision* revision) {
  return revision != nullptr && revision->era == Era::Modern;
}

const Revision* named_revision(const HttpRequest& http) {
  const auto version = header(http, kVersionHeader);
  return version ? find_revision(*version) : nullptr;
}

HttpResponse stopping() {
  return busy_response("the server is stopping");
}

HttpResponse stream_refusal(HttpSession::Refusal refused, const std::string& event) {
  switch (refused) {
    case HttpSession::Refusal::AlreadyOpen:
      return refusal(http::kConflict, "this session has a stream open already");
    case HttpSession::Refusal::UnknownEvent:
      return refusal(http::kBadRequest, "header Last-Event-ID: " + display(event) +
                                            " is no event of this session, or what came after it "
                                            "is no longer kept");
    case HttpSession::Refusal::Ended: break;
  }
  return refusal(http::kNotFound, "this session has ended: initialize begins a new one");
}

/// What is wrong with the MCP-Protocol-Version of a legacy message, if anything.
std::optional<HttpResponse> version_refusal(const HttpRequest& http, const Revision& agreed,
                                            const Json& id) {
  const auto named = header(http, kVersionHeader);
  if (!named || *named == agreed.version) return std::nullopt;
  if (find_revision(*named) == nullptr) {
    return fault_response(http::kBadRequest, {id, *version_fault(Json(*named))});
  }
  return refusal(http::kBadRequest,
                 "header MCP-Protocol-Version: " + display(*named) +
                     ", but this session agreed on " + std::string(agreed.version),
                 id);
}

}  // namespace

HttpEndpoint::HttpEndpoint(const Server& server, Submit submit, HttpEndpointOptions options)
    : server_(server),
      submit_(std::move(submit)),
      options_(std::move(options)),
      headers_(server.offer().tools),
      sessions_(options_.sessions),
      in_flight_(options_.bytes_in_flight_max) {}

void HttpEndpoint::handle(HttpRequest request, ResponderPtr responder) {
  if (auto refused = access_fault(request, options_.access)) {
    return responder->respond(*std::move(refused));
  }
  if (auto answer = preflight(request, options_.access, kMethods)) {
    return responder->respond(*std::move(answer));
  }
  responder = with_cors(std::move(responder), request, options_.access);
  if (stopping_) return responder->respond(stopping());
  if (request.method == "POST") return take_post({std::move(request), std::move(responder)});
  const bool streams = request.method == "GET" || request.method == "DELETE";
  if (!streams) return responder->respond(method_refusal(kMethods));
  // The modern era has neither streams of their own nor sessions.
  if (is_modern(named_revision(request))) return responder->respond(method_refusal("POST"));
  if (request.method == "GET") return take_get(request, responder);
  take_delete(request, responder);
}

void HttpEndpoint::stop() {
  stopping_ = true;
  for (const auto& session : sessions_.all()) session->stop_listening();
}

std::variant<HttpEndpoint::SessionPtr, HttpResponse> HttpEndpoint::session_of(
    const HttpRequest& http, const Json& id) {
  const auto session_id = header(http, kSessionHeader);
  if (!session_id) {
    return refusal(http::kBadRequest,
                   "header Mcp-Session-Id: required; initialize begins a session", id);
  }
  auto session = sessions_.find(*session_id);
  if (!session) {
    return refusal(http::kNotFound, "there is no such session, any more: initialize begins one",
                   id);
  }
  if (auto refused = version_refusal(http, session->revision(), id)) return *std::move(refused);
  return session;
}

void HttpEndpoint::take_get(const HttpRequest& http, const ResponderPtr& responder) {
  if (!accepted_forms(header(http, "accept")).events) {
    return responder->respond(
        refusal(http::kNotAcceptable, "header Accept: must allow text/event-stream"));
  }
  auto found = session_of(http);
  if (auto* refused = std::get_if<HttpResponse>(&found)) {
    return responder->respond(std::move(*refused));
  }
  HttpSession& session = *std::get<SessionPtr>(found);
  const auto event = header(http, "last-event-id");
  std::optional<HttpSession::Refusal> refused;
  if (!event || event->empty()) {
    refused = session.listen(responder);
  } else if (const auto seen = read_event_id(*event)) {
    refused = session.resume(*seen, responder);
  } else {
    refused = HttpSession::Refusal::UnknownEvent;
  }
  if (refused) return responder->respond(stream_refusal(*refused, event.value_or("")));
  // It may have opened just as the others were ended.
  if (stopping_) session.stop_listening();
}

void HttpEndpoint::take_delete(const HttpRequest& http, const ResponderPtr& responder) {
  auto found = session_of(http);
  if (auto* refused = std::get_if<HttpResponse>(&found)) {
    return responder->respond(std::move(*refused));
  }
  sessions_.end(std::get<SessionPtr>(found)->id());
  responder->respond({http::kNoContent, {}, ""});
}

void HttpEndpoint::take_post(Post post) {
  if (auto refused = body_fault(post.http)) return post.responder->respond(*std::move(refused));
  post.accepted = accepted_forms(header(post.http, "accept"));
  if (!post.accepted.json && !post.accepted.events) {
    return post.responder->respond(refusal(
        http::kNotAcceptable, "header Accept: must allow application/json and text/event-stream"));
  }
  const auto busy = [](const ResponderPtr& responder) {
    responder->respond(busy_response("too much is in flight: wait for earlier calls"));
  };
  post.share = in_flight_.take(post.http.body.size());
  if (!post.share) return busy(post.responder);
  if (post.http.body.size() <= options_.inline_bytes_max) return take_body(std::move(post));
  const ResponderPtr responder = post.responder;
  const auto held = std::make_shared<Post>(std::move(post));
  if (!submit_([this, held] { take_body(std::move(*held)); }).ok()) busy(responder);
}

std::optional<std::variant<Json, Fault>> HttpEndpoint::read_body(Post& post) {
  std::optional<std::variant<Json, Fault>> json;
  for (const std::size_t bytes : {usual_json_memory(post.http.body.size()), kJsonMemoryMax}) {
    post.memory = nullptr;
    post.memory = options_.json_memory->take(bytes);
    if (!post.memory) return std::nullopt;
    json = read_json(post.http.body, bytes);
    const auto* fault = std::get_if<Fault>(&*json);
    if (fault == nullptr || fault->error.code != rpc::kInvalidRequest) break;
  }
  return json;
}

void HttpEndpoint::take_body(Post post) {
  auto read = read_body(post);
  std::string().swap(post.http.body);
  if (!read) {
    return post.responder->respond(busy_response("too much is in flight: wait for earlier calls"));
  }
  auto& json = *read;
  if (const auto* fault = std::get_if<Fault>(&json)) {
    return post.responder->respond(fault_response(http::kBadRequest, *fault));
  }
  post.named = named_revision(post.http);
  auto& root = std::get<Json>(json);
  if (root.is_array()) return take_batch(std::move(root), std::move(post));
  auto message = read_message(std::move(root));
  if (const auto* fault = std::get_if<Fault>(&message)) {
    return post.responder->respond(fault_response(http::kBadRequest, *fault));
  }
  auto& known = std::get<Message>(message);
  if (auto* request = std::get_if<Request>(&known)) {
    return take_request(std::move(*request), std::move(post));
  }
  take_other(known, post);
}

std::shared_ptr<HttpOutlet> HttpEndpoint::outlet_of(Post& post, SessionPtr session) const {
  auto outlet =
      std::make_shared<HttpOutlet>(std::move(post.responder), post.accepted, std::move(session));
  outlet->hold(std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
      std::move(post.share), std::move(post.memory)));
  return outlet;
}

void HttpEndpoint::take_batch(Json messages, Post post) {
  if (is_modern(post.named)) {
    return post.responder->respond(
        fault_response(http::kBadRequest, *batch_fault(messages, *post.named)));
  }
  auto found = session_of(post.http);
  if (auto* refused = std::get_if<HttpResponse>(&found)) {
    return post.responder->respond(std::move(*refused));
  }
  auto& held = std::get<SessionPtr>(found);
  if (const auto fault = batch_fault(messages, held->revision())) {
    return post.responder->respond(fault_response(http::kBadRequest, *fault));
  }
  const std::shared_ptr<Session> session = held->session();
  const auto batch = std::make_shared<Batch>(outlet_of(post, std::move(held)));
  for (auto& json : messages) {
    auto message = read_batched(std::move(json));
    if (const auto* fault = std::get_if<Fault>(&message)) {
      batch->add(error_reply(*fault));
      continue;
    }
    auto& known = std::get<Message>(message);
    if (auto* request = std::get_if<Request>(&known)) {
      server_.handle(std::move(*request), {session, std::make_shared<BatchOutlet>(batch)});
    } else if (const auto* notification = std::get_if<Notification>(&known)) {
      server_.notice(*notification, *session);
    } else {
      session->resolve(std::get<Response>(known));
    }
  }
}

void HttpEndpoint::take_other(const Message& message, const Post& post) {
  const auto* notification = std::get_if<Notification>(&message);
  const Json* claimed = notification == nullptr ? nullptr : claimed_version(notification->params);
  if (claimed != nullptr) {
    const auto fault = version_fault(*claimed);
    return post.responder->respond(fault ? fault_response(http::kBadRequest, {nullptr, *fault})
                                         : HttpResponse{http::kAccepted, {}, ""});
  }
  if (is_modern(post.named)) {
    return post.responder->respond(
        notification != nullptr ? HttpResponse{http::kAccepted, {}, ""}
                                : refusal(http::kBadRequest, "a response has no place in " +
                                                                 std::string(post.named->version)));
  }
  auto found = session_of(post.http);
  if (auto* refused = std::get_if<HttpResponse>(&found)) {
    return post.responder->respond(std::move(*refused));
  }
  Session& session = *std::get<SessionPtr>(found)->session();
  if (notification != nullptr) {
    server_.notice(*notification, session);
  } else {
    session.resolve(std::get<Response>(message));
  }
  post.responder->respond({http::kAccepted, {}, ""});
}

void HttpEndpoint::take_request(Request request, Post post) {
  const auto refuse = [&](const RpcError& error) {
    post.responder->respond(fault_response(http::kBadRequest, {request.id, error}));
  };
  if (const Json* claimed = claimed_version(request.params)) {
    // Whether the version is known comes after whether there is agreement on it.
    std::optional<RpcError> fault =
        claimed->is_string() ? headers_.fault(post.http, request, *claimed) : std::nullopt;
    if (!fault) fault = version_fault(*claimed);
    if (fault) return refuse(*fault);
    Exchange exchange;
    exchange.gone = CancelToken::make();
    post.responder->on_gone([gone = exchange.gone] { gone.cancel(); });
    exchange.outlet = outlet_of(post, nullptr);
    return server_.handle(std::move(request), std::move(exchange));
  }
  if (is_modern(post.named)) return refuse(missing_meta(request.params));
  if (request.method == "initialize") return initialize(std::move(request), std::move(post));
  auto found = session_of(post.http, request.id);
  if (auto* refused = std::get_if<HttpResponse>(&found)) {
    return post.responder->respond(std::move(*refused));
  }
  auto& held = std::get<SessionPtr>(found);
  Exchange exchange{held->session(), nullptr};
  exchange.outlet = outlet_of(post, std::move(held));
  server_.handle(std::move(request), std::move(exchange));
}

void HttpEndpoint::initialize(Request request, Post post) {
  // A session keeps them, and there may be many.
  constexpr std::size_t kCapabilitiesBytesMax = 4096;
  const auto refuse = [&](HttpResponse response) { post.responder->respond(std::move(response)); };
  const auto named = header(post.http, kVersionHeader);
  if (named && post.named == nullptr) {
    return refuse(fault_response(http::kBadRequest, {request.id, *version_fault(Json(*named))}));
  }
  const auto session_id = header(post.http, kSessionHeader);
  if (session_id && sessions_.find(*session_id)) {
    return refuse(refusal(http::kBadRequest,
                          "this session is initialized: begin another without Mcp-Session-Id",
                          request.id));
  }
  const auto capabilities = request.params.find("capabilities");
  if (capabilities != request.params.end() &&
      to_text(*capabilities).size() > kCapabilitiesBytesMax) {
    return refuse(fault_response(
        http::kBadRequest,
        {request.id, invalid_params("params.capabilities: at most " +
                                    std::to_string(kCapabilitiesBytesMax) + " bytes")}));
  }
  auto begun = sessions_.begin();
  if (!begun.ok()) return refuse(busy_response(begun.error().message, request.id));
  const SessionPtr& session = *begun;
  Exchange exchange{session->session(), nullptr};
  const auto outlet = outlet_of(post, session);
  outlet->on_reply([this, id = session->id()](const Reply& reply, HttpResponse& head) {
    if (reply.agreed != nullptr) {
      head.headers[kSessionHeader] = id;
    } else {
      sessions_.end(id);
    }
  });
  exchange.outlet = outlet;
  server_.handle(std::move(request), std::move(exchange));
}

}  // namespace quiver::mcp
