#include "thrift/connection.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <thrift/transport/TTransportException.h>

#include "thrift/codec.h"

namespace quiver::thrift {

using apache::thrift::transport::TTransportException;

Connection::Connection(std::shared_ptr<Stream> stream, const LocalNode& self)
    : stream_(std::move(stream)),
      framed_(std::make_shared<FramedTransport>(stream_)),
      wire_(make_protocol(framed_)) {
  greeting_.cluster = self.cluster;
  greeting_.client = self.node;
}

Status Connection::check_server(const wire::HelloReply& reply, const PeerAddress& expected,
                                const Security& security) {
  const std::string where = "the node at " + stream_->peer();
  auto server = decode_node(reply.node);
  if (!server.ok()) {
    return Error{ErrorCode::FailedPrecondition,
                 where + " does not say who it is: " + server.error().message};
  }
  greeting_.server = std::move(server).value();
  greeting_.server_nonce = reply.nonce;
  if (!expected.node_id.empty() && greeting_.server.id != expected.node_id) {
    return Error{ErrorCode::FailedPrecondition,
                 where + " is " + greeting_.server.id + ", not " + expected.node_id};
  }
  if (security.tls && !stream_->peer_is(greeting_.server.id)) {
    return Error{ErrorCode::PermissionDenied, where + " has no certificate of the node " +
                                                  greeting_.server.id + " that it claims to be"};
  }
  if (!security.token.empty() &&
      (reply.nonce.size() != kNonceBytes ||
       !proof_holds(reply.proof, security.token, Side::Server, greeting_))) {
    return Error{ErrorCode::PermissionDenied,
                 where + " does not know the cluster token of this node"};
  }
  return Done{};
}

Status Connection::greet(const PeerAddress& expected, Purpose purpose, const Security& security) {
  greeting_.purpose = purpose;
  QV_TRY(greeting_.client_nonce, make_nonce());
  wire::HelloRequest hello;
  hello.protocol = kProtocolVersion;
  hello.cluster = greeting_.cluster;
  hello.node = encode_node(greeting_.client);
  hello.purpose = static_cast<std::int32_t>(purpose);
  hello.nonce = greeting_.client_nonce;
  hello.proves = !security.token.empty();
  try {
    wire::HelloReply reply;
    wire_.hello(reply, hello);
    QV_CHECK(check_server(reply, expected, security));
    if (!security.token.empty()) {
      wire::Ack ack;
      wire_.prove(ack, make_proof(security.token, Side::Client, greeting_));
    }
  } catch (const wire::QuiverError& refusal) {
    return decode_error(refusal).error;
  } catch (const TTransportException& problem) {
    const auto type = problem.getType();
    if (type == TTransportException::TIMED_OUT || type == TTransportException::INTERRUPTED) {
      return Error{ErrorCode::DeadlineExceeded,
                   stream_->peer() + " did not answer the greeting in time"};
    }
    const char* const hint =
        security.tls ? "" : " (if it uses TLS, this server must, too: cluster.tls)";
    return Error{ErrorCode::Unavailable,
                 stream_->peer() + " broke off the greeting: " + problem.what() + hint};
  } catch (const std::exception& problem) {
    return Error{ErrorCode::FailedPrecondition,
                 stream_->peer() + " does not speak this protocol: " + problem.what()};
  }
  framed_->set_read_limit(kFrameBytesMax);
  return Done{};
}

Dialer::Dialer(LocalNode self, PeerAddress peer, Security security,
               std::chrono::milliseconds connect_time)
    : self_(std::move(self)),
      peer_(std::move(peer)),
      security_(std::move(security)),
      connect_time_(connect_time),
      resolver_(peer_.host, peer_.port) {}

Result<std::unique_ptr<Connection>> Dialer::try_dial(Purpose purpose, Connection::TimePoint until,
                                                     const CancelToken& cancel) const {
  QV_TRY(const auto addresses, resolver_.resolve(until, cancel));
  Error last{ErrorCode::Unavailable, "no address of " + peer_.host};
  for (const auto& address : addresses) {
    auto stream = Stream::connect(address, until, cancel);
    if (!stream.ok()) {
      last = stream.error();
      continue;
    }
    (*stream)->limit(until, cancel);
    if (security_.tls) QV_CHECK((*stream)->start_tls(*security_.tls, Stream::Role::Client));
    auto connection = std::make_unique<Connection>(std::move(*stream), self_);
    QV_CHECK(connection->greet(peer_, purpose, security_));
    return connection;
  }
  return last;
}

Result<std::unique_ptr<Connection>> Dialer::dial(Purpose purpose, Connection::TimePoint until,
                                                 const CancelToken& cancel) const {
  const auto soon = std::chrono::steady_clock::now() + connect_time_;
  auto connection = try_dial(purpose, std::min(until, soon), cancel);
  if (!connection.ok() && connection.error().code == ErrorCode::DeadlineExceeded && soon < until &&
      !cancel.cancelled()) {
    // The call has time left: it is the peer that did not answer, not the caller who is late.
    return Error{ErrorCode::Unavailable, connection.error().message};
  }
  return connection;
}

}  // namespace quiver::thrift
