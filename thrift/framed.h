#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include "thrift/limits.h"
#include "thrift/stream.h"

namespace quiver::thrift {

/// One message a frame: a length of 32 bits, then the message.
///
/// Differs from the library's transport, whose format it keeps:
/// - What a connection has received is counted for each message anew. Up to Thrift 0.22 a server
///   adds it up over the life of the connection and cuts it after 100 MB.
/// - Memory grows with what has arrived, not by what the length promises.
/// - A frame holds one message and nothing behind it.
///
/// Threads: like the Stream.
class FramedTransport final : public apache::thrift::transport::TFramedTransport {
 public:
  explicit FramedTransport(std::shared_ptr<Stream> stream);

  /// Largest frame that is read. Starts with kGreetingFrameBytesMax.
  void set_read_limit(std::size_t bytes) noexcept { read_limit_ = bytes; }
  /// Each frame that is written has so long, from its first byte on. Without, the stream's limit
  /// holds.
  void set_write_time(std::chrono::milliseconds time) noexcept { write_time_ = time; }
  /// Whether the peer ended the connection, between two messages as it should.
  bool has_ended() const noexcept { return ended_; }
  /// Frames that were handed to the system as a whole.
  std::uint64_t frames_sent() const noexcept { return frames_sent_; }

  std::uint32_t readEnd() override;
  void flush() override;

 protected:
  bool readFrame() override;
  void writeSlow(const std::uint8_t* bytes, std::uint32_t size) override;

 private:
  bool read_exactly(std::uint8_t* bytes, std::uint32_t size, bool may_end);
  void reserve(std::uint32_t size, std::uint32_t keep);

  const std::shared_ptr<Stream> stream_;
  std::size_t read_limit_ = kGreetingFrameBytesMax;
  std::chrono::milliseconds write_time_{0};
  std::uint64_t frames_sent_ = 0;
  bool ended_ = false;
};

using WireProtocol = apache::thrift::protocol::TBinaryProtocolT<FramedTransport>;

/// Binary protocol, strict, with bounds on strings and lists.
std::shared_ptr<WireProtocol> make_protocol(const std::shared_ptr<FramedTransport>& transport);

}  // namespace quiver::thrift
