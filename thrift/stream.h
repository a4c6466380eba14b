#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/types.h>
#include <thrift/transport/TVirtualTransport.h>

#include "core/call_context.h"
#include "core/result.h"
#include "thrift/address.h"
#include "thrift/tls.h"

namespace quiver::thrift {

/// A TCP connection, with TLS or without, whose every wait ends at one deadline.
///
/// The library's own sockets bound each system call but not their sum: a peer that sends a byte
/// now and then holds a reader for as long as it likes, within one TLS record even. Here the
/// socket never blocks; the time that is left is waited for its readiness.
///
/// Throws TTransportException, as the library expects of a transport: TIMED_OUT at the deadline,
/// INTERRUPTED when cancelled, END_OF_FILE and NOT_OPEN when the peer has gone.
///
/// Threads: one at a time, but for shut().
class Stream final : public apache::thrift::transport::TVirtualTransport<Stream> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Role : std::uint8_t { Client, Server };

  /// Errors: Unavailable if the peer refuses or cannot be reached; DeadlineExceeded at `until` or
  /// when cancelled.
  static Result<std::shared_ptr<Stream>> connect(const SocketAddress& address, TimePoint until,
                                                 const CancelToken& cancel);
  /// Owns `fd`, a connected TCP socket. `peer` is its address, for messages.
  Stream(int fd, std::string peer);
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// For all that follows, until set again.
  void limit(TimePoint until);
  /// The same, or until `cancel` fires, which is looked at fifty times a second.
  void limit(TimePoint until, const CancelToken& cancel);
  /// Errors: PermissionDenied if the certificates do not go together; Unavailable if the peer goes
  /// away; DeadlineExceeded at the limit.
  Status start_tls(const TlsContext& context, Role role);
  /// Whether the peer showed a certificate of the node `id`; false without TLS.
  bool peer_is(std::string_view id) const;

  /// Waits for the first byte of what the peer sends, or for its end. False at the limit.
  bool wait_readable();
  /// Whether the connection may be used again: the peer has neither gone nor sent anything.
  bool is_quiet() const;
  /// Ends the reading (SHUT_RD) or all (SHUT_RDWR) of a connection that another thread may be
  /// using.
  void shut(int how) const noexcept;

  const std::string& peer() const noexcept { return peer_; }
  bool isOpen() const override { return true; }
  const std::string getOrigin() const override { return peer_; }
  /// At least one byte; 0 at the peer's end.
  std::uint32_t read(std::uint8_t* bytes, std::uint32_t size);
  /// All of them.
  void write(const std::uint8_t* bytes, std::uint32_t size);

 private:
  enum class Wait : std::uint8_t { Ready, TimedOut, Cancelled };

  Wait wait(short events) const;
  /// Throws unless ready.
  void wait_or_throw(short events) const;
  std::uint32_t read_plain(std::uint8_t* bytes, std::uint32_t size);
  std::uint32_t read_tls(std::uint8_t* bytes, std::uint32_t size);
  std::uint32_t write_some(const std::uint8_t* bytes, std::uint32_t size);

  const int fd_;
  const std::string peer_;
  SSL* tls_ = nullptr;
  TimePoint until_ = TimePoint::max();
  std::optional<CancelToken> cancel_;
};

}  // namespace quiver::thrift
