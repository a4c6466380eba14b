#include "mcp/sse_endpoint.h"

#include <utility>
#include <variant>

#include "core/ids.h"
#include "mcp/batch.h"
#include "mcp/cors.h"
#include "mcp/event_stream.h"
#include "mcp/http_headers.h"
#include "mcp/session.h"

namespace quiver::mcp {
namespace {

/// The value of sessionId in a request's query; empty: there is none.
std::string_view session_id(std::string_view target) {
  constexpr std::string_view kKey = "sessionId=";
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  std::string_view query = target.substr(mark + 1);
  for (;;) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    if (pair.starts_with(kKey)) return pair.substr(kKey.size());
    if (end == std::string_view::npos) return {};
    query.remove_prefix(end + 1);
  }
}

/// What needs no look at the session: who may not call, and who asks whether it may.
std::optional<HttpResponse> answer_before(const HttpRequest& request, const HttpAccess& access,
                                          const char* method) {
  auto refused = access_fault(request, access);
  return refused ? refused : preflight(request, access, method);
}

}  // namespace

/// A session and the stream that carries all of it.
class SseEndpoint::Client {
 public:
  Client() {
    // Who is cut off does not come back.
    session_.set_push(
        [this](const std::string& message) { return write(message) ? Told::Yes : Told::Nowhere; });
  }
  ~Client() { end(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Session& session() noexcept { return session_; }

  void attach(std::shared_ptr<HttpStream> out) QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    out_ = std::move(out);
  }
  /// False if nobody reads; then nothing that is under way has a purpose any more.
  bool send(const std::string& message) {
    if (write(message)) return true;
    end();
    return false;
  }
  void end() QV_EXCLUDES(mutex_) {
    session_.end();
    session_.cancel_all();
    const MutexLock lock(mutex_);
    if (out_) out_->end();
    out_.reset();
  }

 private:
  bool write(const std::string& message) QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return out_ && out_->write(event_text(message, "message"));
  }

  Session session_;
  Mutex mutex_;
  std::shared_ptr<HttpStream> out_ QV_GUARDED_BY(mutex_);
};

/// The way back for one message.
class SseEndpoint::Way final : public Outlet {
 public:
  Way(ClientPtr client, std::shared_ptr<void> share)
      : client_(std::move(client)), share_(std::move(share)) {}

  bool tell(const std::string& message) override { return client_->send(message); }
  bool send(const std::string& message) override { return client_->send(message); }
  void reply(Reply reply) override {
    if (!reply.text.empty()) client_->send(reply.text);
  }

 private:
  const ClientPtr client_;
  const std::shared_ptr<void> share_;
};

SseEndpoint::SseEndpoint(const Server& server, Submit submit, SseEndpointOptions options)
    : server_(server),
      submit_(std::move(submit)),
      options_(std::move(options)),
      in_flight_(options_.bytes_in_flight_max) {}

SseEndpoint::~SseEndpoint() {
  stop();
}

void SseEndpoint::open(const HttpRequest& request, std::shared_ptr<HttpResponder> responder) {
  if (auto answer = answer_before(request, options_.access, "GET")) {
    return responder->respond(*std::move(answer));
  }
  responder = with_cors(std::move(responder), request, options_.access);
  if (request.method != "GET") return responder->respond(method_refusal("GET"));
  if (!accepted_forms(header(request, "accept")).events) {
    return responder->respond(
        refusal(http::kNotAcceptable, "header Accept: must allow text/event-stream"));
  }
  const std::string id = RequestId::random().hex() + RequestId::random().hex();
  const auto client = std::make_shared<Client>();
  bool admitted = false;
  {
    const MutexLock lock(mutex_);
    admitted = !stopping_ && clients_.size() < options_.sessions_max;
    if (admitted) clients_[id] = client;
  }
  if (!admitted) return responder->respond(busy_response("no more sessions: try again later"));
  HttpResponse head = event_stream_head();
  head.body = event_text(options_.messages_path + "?sessionId=" + id, "endpoint");
  client->attach(responder->stream(std::move(head)));
  responder->on_gone([this, id] { end(id); });
  // It may have opened just as the others were ended.
  if (stopping_) end(id);
}

SseEndpoint::ClientPtr SseEndpoint::find(std::string_view id) const {
  const MutexLock lock(mutex_);
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second;
}

void SseEndpoint::end(const std::string& id) {
  ClientPtr client;
  {
    const MutexLock lock(mutex_);
    if (auto node = clients_.extract(id)) client = std::move(node.mapped());
  }
  if (client) client->end();
}

void SseEndpoint::stop() {
  std::map<std::string, ClientPtr, std::less<>> clients;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    clients.swap(clients_);
  }
  for (const auto& [id, client] : clients) client->end();
}

std::size_t SseEndpoint::sessions() const {
  const MutexLock lock(mutex_);
  return clients_.size();
}

void SseEndpoint::take(HttpRequest request, std::shared_ptr<HttpResponder> responder) {
  if (auto answer = answer_before(request, options_.access, "POST")) {
    return responder->respond(*std::move(answer));
  }
  responder = with_cors(std::move(responder), request, options_.access);
  if (request.method != "POST") return responder->respond(method_refusal("POST"));
  if (auto refused = body_fault(request)) return responder->respond(*std::move(refused));
  const auto client = find(session_id(request.target));
  if (!client) {
    return responder->respond(
        refusal(http::kNotFound, "there is no such session, any more: GET the stream again"));
  }
  const auto busy = [&] {
    responder->respond(busy_response("too much is in flight: wait for earlier calls"));
  };
  auto share = in_flight_.take(request.body.size());
  if (!share) return busy();
  if (request.body.size() <= options_.inline_bytes_max) {
    return take_body(request.body, client, std::move(share), *responder);
  }
  const auto body = std::make_shared<std::string>(std::move(request.body));
  const Status submitted = submit_(
      [this, body, client, share, responder] { take_body(*body, client, share, *responder); });
  if (!submitted.ok()) busy();
}

void SseEndpoint::take_body(const std::string& body, const ClientPtr& client,
                            std::shared_ptr<void> share, HttpResponder& responder) {
  const auto refuse = [&](const Fault& fault) {
    responder.respond(fault_response(http::kBadRequest, fault));
  };
  auto json = read_json(body);
  if (const auto* fault = std::get_if<Fault>(&json)) return refuse(*fault);
  auto& root = std::get<Json>(json);
  const auto way = std::make_shared<Way>(client, std::move(share));
  if (!root.is_array()) {
    auto message = read_message(std::move(root));
    if (const auto* fault = std::get_if<Fault>(&message)) return refuse(*fault);
    responder.respond({http::kAccepted, {}, ""});
    return take_message(std::move(std::get<Message>(message)), client, way);
  }
  if (const auto fault = batch_fault(root, client->session().revision())) return refuse(*fault);
  responder.respond({http::kAccepted, {}, ""});
  const auto batch = std::make_shared<Batch>(way);
  for (auto& item : root) {
    auto message = read_batched(std::move(item));
    if (const auto* fault = std::get_if<Fault>(&message)) {
      batch->add(error_reply(*fault));
    } else {
      take_message(std::move(std::get<Message>(message)), client,
                   std::make_shared<BatchOutlet>(batch));
    }
  }
}

void SseEndpoint::take_message(Message message, const ClientPtr& client,
                               std::shared_ptr<Outlet> way) {
  if (const auto* notification = std::get_if<Notification>(&message)) {
    return server_.notice(*notification, client->session());
  }
  if (const auto* response = std::get_if<Response>(&message)) {
    return client->session().resolve(*response);
  }
  server_.handle(std::move(std::get<Request>(message)),
                 {std::shared_ptr<Session>(client, &client->session()), std::move(way)});
}

}  // namespace quiver::mcp
