#pragma once

#include <filesystem>
#include <string>

#include "app/config.h"
#include "app/fd.h"
#include "core/result.h"

namespace quiver::app {

/// A listening Unix socket that only this user can reach; its file goes when it goes.
class OwnerSocket {
 public:
  /// Listens at <data>/quiver.sock. Where a Unix socket cannot be there (the path is longer than
  /// the 107 bytes of sockaddr_un, or the file system knows no sockets), it is
  /// $XDG_RUNTIME_DIR/quiver-<hash>.sock, else /tmp/quiver-<uid>-<hash>/quiver.sock, with the hash
  /// of the data directory; the lock file tells which. A file left by a dead owner is replaced:
  /// only the holder of the directory's lock may call this.
  ///
  /// Errors: FailedPrecondition naming the path and what is wrong with it.
  static Result<OwnerSocket> listen(const std::filesystem::path& data_dir,
                                    const Environment& environment);

  OwnerSocket(OwnerSocket&& other) noexcept = default;
  OwnerSocket& operator=(OwnerSocket&& other) noexcept = delete;
  ~OwnerSocket();

  int fd() const noexcept { return fd_.get(); }
  const std::string& path() const noexcept { return path_; }

 private:
  OwnerSocket(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
};

/// Connects to an owner's socket; never blocks. The answer of the other side has yet to be read.
///
/// Errors: Unavailable if nobody listens there or its queue is full; PermissionDenied if another
/// user does.
Result<Fd> connect_to_owner(const std::string& path);

/// Whether the process at the other end of a connected Unix socket may be trusted: it runs as this
/// user or as root.
bool is_trusted_peer(int fd);

}  // namespace quiver::app
