#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace quiver::cluster {

/// A program that this process started and that ends with it. Its output goes to a file.
///
/// The kernel ends the child when the thread that started it ends: that thread must live on until
/// the child has gone.
///
/// Threads: one.
class ChildProcess {
 public:
  struct Start {
    /// A path, looked up already.
    std::filesystem::path program;
    std::vector<std::string> arguments;
    /// Appended to.
    std::filesystem::path output;
    /// Variables whose names begin so are kept from it.
    std::string hidden_environment;
  };
  /// Errors: ResourceExhausted if the system has no room for another process; Unavailable if
  /// `output` cannot be opened.
  static Result<ChildProcess> start(const Start& what);
  /// Where a program of that name is in PATH, or itself if it has a slash.
  ///
  /// Errors: FailedPrecondition.
  static Result<std::filesystem::path> find(const std::string& name);

  /// kill(), if it runs.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// How it ended, in words: "exited with 1"; nothing while it runs.
  std::optional<std::string> ended();
  /// Asks it to end. ended() tells when it has.
  void ask_to_end() const;
  /// Ends it, and returns when it has gone.
  void kill();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  /// -1: it has gone.
  pid_t pid_;
  std::string how_;
};

}  // namespace quiver::cluster
