#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/result.h"
#include "service/changes.h"

/// What processes that share a data directory say to each other over the owner's socket. A frame is
/// a length (4 bytes, little endian) and that many bytes of JSON, one object with a "type".
///
/// client: hello, then invoke, cancel, ping.
/// owner: hello or refused, then progress, reply, pong and, unasked, changed.
namespace quiver::app::wire {

inline constexpr std::uint32_t kProtocol = 2;
/// A full message and its envelope.
inline constexpr std::size_t kFrameBytesMax = limits::kMessageBytesMax + (std::size_t{1} << 20);
/// Before the hello: what connects may be anything.
inline constexpr std::size_t kHelloBytesMax = 4096;

struct Hello {
  std::uint32_t protocol = kProtocol;
  std::string version;
  std::int64_t pid = 0;
};
struct Refused {
  std::string message;
};
struct Invoke {
  /// Chosen by the client; in use until its reply.
  std::uint64_t n = 0;
  std::string operation;
  Json arguments;
  RequestId request_id;
  /// From now, because clocks may differ in their zero.
  std::optional<std::int64_t> timeout_ms;
  bool wants_progress = false;
};
struct Cancel {
  std::uint64_t n = 0;
};
struct Progress {
  std::uint64_t n = 0;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string message;
};
struct Reply {
  std::uint64_t n = 0;
  /// Not taken on, because the owner is closing: ask the next one.
  bool is_closing = false;
  Result<Json> outcome = Json();
};
struct Ping {};
struct Pong {};
/// What calls of any process have changed.
struct Changed {
  std::vector<service::Change> changes;
};
using Message = std::variant<Hello, Refused, Invoke, Cancel, Progress, Reply, Ping, Pong, Changed>;

/// A whole frame. Text that is not UTF-8 is sent with replacement characters only where it is a
/// message for people.
///
/// Errors: InvalidArgument if arguments or result hold text that is not UTF-8; ResourceExhausted
/// if the frame would be too large.
Result<std::string> encode(const Message& message);
/// The frame of an Invoke, without a copy of its arguments; `head.arguments` is not looked at.
Result<std::string> encode_invoke(const Invoke& head, const Json& arguments);

/// Errors: InvalidArgument if `body` is not one of the messages.
Result<Message> decode(std::string_view body);

/// Cuts a stream of bytes into the bodies of frames.
class FrameBuffer {
 public:
  void append(std::string_view bytes) { bytes_.append(bytes); }
  /// The next whole body; nullopt if more bytes are needed. The view holds until append().
  ///
  /// Errors: ResourceExhausted if the frame is larger than `bytes_max`.
  Result<std::optional<std::string_view>> next(std::size_t bytes_max);

 private:
  std::string bytes_;
  std::size_t read_ = 0;
};

}  // namespace quiver::app::wire
