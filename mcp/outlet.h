#pragma once

#include <string>

#include "mcp/revision.h"

namespace quiver::mcp {

/// The answer to one request.
struct Reply {
  /// A whole JSON-RPC message.
  std::string text;
  /// 0, or the code of the JSON-RPC error in `text`.
  int error = 0;
  /// A modern request was turned away before its method saw it. HTTP has a status for that.
  bool refused = false;
  /// An initialize agreed on this.
  const Revision* agreed = nullptr;
};

/// The way back to the peer for what belongs to one request. Letting go of it without reply()
/// means that there will be none.
///
/// Threads: any. After reply() the others do nothing.
class Outlet {
 public:
  virtual ~Outlet() = default;

  /// Sends a message that belongs to the request, before its reply, if that needs no waiting. False
  /// if it was dropped: the peer is gone, does not read, or this way carries a reply alone.
  virtual bool tell(const std::string& message) = 0;

  /// Like tell(), but may wait for the peer to take the message.
  virtual bool send(const std::string& message) = 0;

  /// Ends the connection that the peer waits on: it comes back for what follows, which is kept for
  /// it. False, and nothing happens, where a peer cannot come back.
  virtual bool detach() { return false; }

  /// The answer; once, the last.
  virtual void reply(Reply reply) = 0;
};

}  // namespace quiver::mcp
