#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <quiver_wire/NodeWire.h>

#include "core/call_context.h"
#include "thrift/address.h"
#include "thrift/framed.h"
#include "thrift/node_client.h"
#include "thrift/security.h"
#include "thrift/stream.h"

namespace quiver::thrift {

/// A connection to a peer that has been greeted: carries one call after the other.
///
/// Threads: one at a time. After a failed call it is of no further use.
class Connection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Wire = wire::NodeWireClient;

  Connection(std::shared_ptr<Stream> stream, const LocalNode& self);

  /// The greeting from the client's side; `expected` is who should answer.
  ///
  /// Errors: PermissionDenied if one side cannot show who it is; FailedPrecondition if another node
  /// or protocol answers; those with which the peer refuses.
  Status greet(const PeerAddress& expected, Purpose purpose, const Security& security);

  Wire& wire() noexcept { return wire_; }
  Stream& stream() noexcept { return *stream_; }
  std::uint64_t frames_sent() const noexcept { return framed_->frames_sent(); }
  const NodeIdentity& peer() const noexcept { return greeting_.server; }

  TimePoint used_at() const noexcept { return used_at_; }
  void set_used_at(TimePoint now) noexcept { used_at_ = now; }

 private:
  Status check_server(const wire::HelloReply& reply, const PeerAddress& expected,
                      const Security& security);

  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<FramedTransport> framed_;
  Wire wire_;
  Greeting greeting_;
  TimePoint used_at_{};
};

/// Opens connections to one peer.
///
/// Threads: any.
class Dialer {
 public:
  Dialer(LocalNode self, PeerAddress peer, Security security,
         std::chrono::milliseconds connect_time);

  /// Errors: those of Connection::greet(); Unavailable if the peer cannot be reached within the
  /// connect time; DeadlineExceeded at `until` or when cancelled.
  Result<std::unique_ptr<Connection>> dial(Purpose purpose, Connection::TimePoint until,
                                           const CancelToken& cancel) const;
  const PeerAddress& peer() const noexcept { return peer_; }
  const LocalNode& self() const noexcept { return self_; }

 private:
  Result<std::unique_ptr<Connection>> try_dial(Purpose purpose, Connection::TimePoint until,
                                               const CancelToken& cancel) const;

  const LocalNode self_;
  const PeerAddress peer_;
  const Security security_;
  const std::chrono::milliseconds connect_time_;
  const Resolver resolver_;
};

}  // namespace quiver::thrift
