#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "core/json.h"
#include "core/json_reader.h"

/// JSON-RPC 2.0 as MCP uses it: framing and protocol errors, nothing of MCP's methods.
namespace quiver::mcp {

/// The string of an id is echoed in every reply; real clients count or send a UUID.
inline constexpr std::size_t kIdBytesMax = 1024;
namespace rpc {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
/// Of MCP up to 2025-11-25.
inline constexpr int kResourceNotFound = -32002;
/// Of MCP 2026-07-28.
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;
}  // namespace rpc

/// A protocol error, on its way to the peer.
struct RpcError {
  int code;
  std::string message;
  /// Null: none is sent.
  Json data = nullptr;
};

/// A message that cannot be taken as one, with the id to answer under: null if it is not known.
struct Fault {
  Json id;
  RpcError error;
};

struct Request {
  /// A string or an integer, echoed as it came.
  Json id;
  std::string method;
  /// An object; empty if the message had none.
  Json params;
};

struct Notification {
  std::string method;
  Json params;
};

/// The peer's answer to a request of ours.
struct Response {
  Json id;
  /// One of the two is null.
  Json result;
  Json error;
};

using Message = std::variant<Request, Notification, Response>;

/// Takes JSON text into memory. A Fault is -32700 for what is not UTF-8 or not JSON, and -32600
/// for what is deeper than limits::kJsonDepthMax, repeats a key of an object, or would take more
/// than `memory_max`: refused before it is built, the id found if it can be.
std::variant<Json, Fault> read_json(std::string_view text, std::size_t memory_max = kJsonMemoryMax);

/// Takes JSON as one message (not a batch). A Fault is always -32600.
std::variant<Message, Fault> read_message(Json json);

/// Compact, in one line; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& json);

/// `result` is JSON text and is taken as it is.
std::string result_reply(const Json& id, std::string_view result);
std::string error_reply(const Json& id, const RpcError& error);
std::string error_reply(const Fault& fault);
std::string notification_text(std::string_view method, const Json& params);

/// How a value a peer chose may appear in a message to it: quoted, at most 64 bytes of it.
std::string display(std::string_view text);

}  // namespace quiver::mcp
