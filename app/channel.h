#pragma once

#include <cstddef>
#include <string>

#include "app/fd.h"
#include "app/wire.h"
#include "core/mutex.h"

namespace quiver::app {

/// One connected, non-blocking socket that carries frames both ways.
///
/// Threads: send() from any; the rest from the one thread that polls.
class Channel {
 public:
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}

  int fd() const noexcept { return socket_.get(); }

  /// Writes what the socket takes at once and keeps the rest, in order, for flush(). Never blocks.
  /// True if something is kept, so that the polling thread must wait for POLLOUT.
  ///
  /// Errors: Unavailable if the other side is gone; ResourceExhausted if it reads too slowly: then
  /// the channel is broken too.
  Result<bool> send(std::string frame);
  bool has_unsent() const;
  Status flush();

  /// Takes in what has arrived. False: the other side has closed. Errors: Unavailable.
  Result<bool> receive();
  /// The next message that has arrived; nullopt if none is whole.
  ///
  /// Errors: InvalidArgument, ResourceExhausted: the other side does not speak this protocol.
  Result<std::optional<wire::Message>> next(std::size_t frame_bytes_max);

 private:
  Status write_out() QV_REQUIRES(mutex_);

  const Fd socket_;
  wire::FrameBuffer received_;
  mutable Mutex mutex_;
  std::string unsent_ QV_GUARDED_BY(mutex_);
  std::size_t sent_ QV_GUARDED_BY(mutex_) = 0;
  bool broken_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::app
