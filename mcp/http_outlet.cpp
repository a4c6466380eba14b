#include "mcp/http_outlet.h"

#include <utility>

#include "mcp/http_reply.h"

namespace quiver::mcp {

HttpOutlet::HttpOutlet(std::shared_ptr<HttpResponder> responder, Accepted accepted,
                       std::shared_ptr<HttpSession> session)
    : responder_(std::move(responder)), accepted_(accepted), session_(std::move(session)) {
  if (session_) use_ = std::make_unique<HttpSession::Use>(session_);
}

HttpOutlet::~HttpOutlet() {
  if (responder_) {
    // In a session it was cancelled by message, or nothing in it wanted an answer. Without one it
    // was a request, which is never just accepted.
    responder_->respond(session_ ? HttpResponse{http::kAccepted, {}, ""}
                                 : busy_response("the request was cancelled before its reply"));
  }
  if (!stream_) return;
  if (session_) session_->end_stream(*stream_);
  stream_->detach();
}

void HttpOutlet::open(HttpResponse head) {
  stream_ = session_ ? session_->begin_stream() : std::make_shared<EventStream>();
  stream_->attach(std::exchange(responder_, nullptr), std::move(head));
}

bool HttpOutlet::tell(const std::string& message) {
  if (!stream_) {
    if (!responder_ || !accepted_.events) return false;
    open(event_stream_head());
  }
  return stream_->send(message);
}

bool HttpOutlet::detach() {
  // Others have not been told yet where they could go on.
  if (!session_ || !session_->revision().stream_priming) return false;
  if (!stream_) {
    if (!responder_ || !accepted_.events) return false;
    open(event_stream_head());
  }
  stream_->detach();
  return true;
}

void HttpOutlet::reply(Reply reply) {
  if (reply.text.empty()) return;
  if (stream_) return (void)stream_->send(reply.text);
  int status = http::kOk;
  if (reply.refused) {
    status = reply.error == rpc::kMethodNotFound ? http::kNotFound : http::kBadRequest;
  }
  const bool whole = accepted_.json || status != http::kOk;
  HttpResponse response = whole ? json_response(status, {}) : event_stream_head();
  if (finish_) finish_(reply, response);
  if (whole) {
    response.body = std::move(reply.text);
    std::exchange(responder_, nullptr)->respond(std::move(response));
  } else {
    open(std::move(response));
    stream_->send(reply.text);
  }
}

}  // namespace quiver::mcp
