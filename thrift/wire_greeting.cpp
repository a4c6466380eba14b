// The server's side of the greeting; Connection has the client's.

#include <utility>

#include "thrift/codec.h"
#include "thrift/wire_handler.h"

namespace quiver::thrift {
namespace {

Error denied(std::string why) {
  return {ErrorCode::PermissionDenied, std::move(why)};
}

}  // namespace

WireHandler::WireHandler(ServerContext& context, std::shared_ptr<Stream> stream,
                         std::shared_ptr<FramedTransport> framed, Lanes::Place place)
    : context_(context),
      stream_(std::move(stream)),
      framed_(std::move(framed)),
      place_(std::move(place)) {
  greeting_.cluster = context_.self.cluster;
  greeting_.server = context_.self.node;
}

void WireHandler::refuse(const Error& error) {
  closing_ = true;
  context_.refusals.refused(stream_->peer(), error.message);
  throw encode_error(error, {});
}

Status WireHandler::check_hello(const wire::HelloRequest& request) {
  if (request.protocol != kProtocolVersion) {
    return Error{ErrorCode::FailedPrecondition,
                 "this node speaks protocol " + std::to_string(kProtocolVersion) +
                     " between nodes, the caller " + std::to_string(request.protocol)};
  }
  if (request.cluster != context_.self.cluster) {
    return Error{ErrorCode::FailedPrecondition, "the caller belongs to another cluster"};
  }
  QV_TRY(greeting_.client, decode_node(request.node));
  if (request.purpose < 1 || request.purpose > static_cast<std::int32_t>(kPurposes)) {
    return Error{ErrorCode::InvalidArgument, "purpose: 1 to " + std::to_string(kPurposes) +
                                                 ", got " + std::to_string(request.purpose)};
  }
  greeting_.purpose = static_cast<Purpose>(request.purpose);
  if (request.nonce.size() != kNonceBytes) {
    return Error{ErrorCode::InvalidArgument, "nonce: " + std::to_string(kNonceBytes) +
                                                 " bytes, got " +
                                                 std::to_string(request.nonce.size())};
  }
  greeting_.client_nonce = request.nonce;
  if (request.proves != !context_.security.token.empty()) {
    return denied(request.proves ? "the caller has a cluster token, this node has none"
                                 : "this node asks for the cluster token, the caller has none");
  }
  if (context_.security.tls && !stream_->peer_is(greeting_.client.id)) {
    return denied("the caller's certificate is not of the node " + greeting_.client.id +
                  " that it claims to be");
  }
  return Done{};
}

Status WireHandler::answer_hello(wire::HelloReply& out, const wire::HelloRequest& request) {
  QV_CHECK(check_hello(request));
  QV_TRY(greeting_.server_nonce, make_nonce());
  out.node = encode_node(context_.self.node);
  out.nonce = greeting_.server_nonce;
  if (context_.security.token.empty()) return open();
  out.__set_proof(make_proof(context_.security.token, Side::Server, greeting_));
  state_ = State::Greeted;
  return Done{};
}

void WireHandler::hello(wire::HelloReply& out, const wire::HelloRequest& request) {
  if (state_ != State::New) refuse(denied("the connection has been greeted"));
  const auto answered = answer_hello(out, request);
  if (!answered.ok()) refuse(answered.error());
}

Status WireHandler::check_proof(const std::string& proof) {
  if (state_ != State::Greeted) return denied("no proof was asked for");
  if (!proof_holds(proof, context_.security.token, Side::Client, greeting_)) {
    return denied("the caller does not know the cluster token of this node");
  }
  return open();
}

void WireHandler::prove(wire::Ack& out, const std::string& proof) {
  const auto checked = check_proof(proof);
  if (!checked.ok()) refuse(checked.error());
  out = {};
}

Status WireHandler::open() {
  if (context_.admit) QV_CHECK(context_.admit(greeting_.client));
  auto place = context_.lanes.enter(greeting_.purpose);
  if (!place) {
    return Error{ErrorCode::ResourceExhausted,
                 "all " + std::to_string(context_.lanes.bound(greeting_.purpose)) +
                     " connections for this purpose are taken; close some or try later"};
  }
  place_ = std::move(*place);
  framed_->set_read_limit(kFrameBytesMax);
  state_ = State::Open;
  return Done{};
}

}  // namespace quiver::thrift
