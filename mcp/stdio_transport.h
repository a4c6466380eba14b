#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/mutex.h"
#include "mcp/transport.h"

namespace quiver::mcp {

/// MCP's stdio transport: one message a line, on two descriptors.
///
/// It is given descriptors of its own rather than 0 and 1: the caller duplicates them and points 1
/// at stderr, so that a stray print cannot corrupt the protocol. The process must ignore SIGPIPE.
///
/// Source: MCP 2026-07-28, basic/transports/stdio.
class StdioTransport final : public Transport {
 public:
  struct Options {
    /// A line over this is skipped as it comes in: it never takes more memory than this.
    std::size_t message_bytes_max = limits::kMessageBytesMax;
    /// How long a write may wait for the peer once finish() was called.
    std::chrono::milliseconds grace{1000};
  };

  /// Takes both descriptors over, also when it fails. Errors: Unavailable if the system has no
  /// descriptor left.
  static Result<std::unique_ptr<StdioTransport>> open(int in, int out, const Options& options);
  ~StdioTransport() override;
  StdioTransport(const StdioTransport&) = delete;
  StdioTransport& operator=(const StdioTransport&) = delete;

  Result<std::optional<std::string>> read() override;
  Status write(std::string_view message) override;
  bool offer(std::string_view message) override;
  void finish() noexcept override;

 private:
  StdioTransport(int in, int out, int wake, const Options& options);

  /// The next line out of what was read already; nothing if its end is not there.
  std::optional<Result<std::string>> next_line();
  void keep(std::string_view part);
  Result<std::string> take_line();
  Status fill();
  Status send(std::string_view bytes) QV_REQUIRES(write_mutex_);
  Status wait_writable() QV_REQUIRES(write_mutex_);
  bool writable_now() const;

  const int in_;
  const int out_;
  /// An eventfd, readable for ever once finish() was called.
  const int wake_;
  const bool out_is_socket_;
  const Options options_;

  // Of the reading thread.
  std::vector<char> chunk_;
  std::size_t chunk_begin_ = 0;
  std::size_t chunk_end_ = 0;
  bool ended_ = false;
  std::string line_;
  /// Bytes of the line so far, also when they are no longer kept.
  std::size_t line_bytes_ = 0;

  Mutex write_mutex_;
  bool broken_ QV_GUARDED_BY(write_mutex_) = false;
};

}  // namespace quiver::mcp
