#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace quiver::bench {

/// A program to be started.
struct Launch {
  /// Its path and its arguments.
  std::vector<std::string> words;
  /// NAME=VALUE. Of this process's environment all is handed on but Quiver's settings, of which
  /// only where the model is.
  std::vector<std::string> settings;
  /// What it writes on stderr is thrown away.
  bool quiet = false;
};

/// Quiver's settings for a data directory.
std::vector<std::string> settings_of(const std::string& data);

/// Descriptors that a child gets as its standard streams; -1: nothing to read, this process's
/// stderr.
struct Streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Throws runtime_error, like all here.
pid_t spawn(const Launch& launch, const Streams& streams);
/// Waits for the end of a child; its status as waitpid has it.
int wait_for(pid_t pid);

/// A number of /proc/PID/status: "Threads", or "VmRSS" in KiB.
double status_of(pid_t pid, const std::string& field);
/// Seconds of processor time that all threads of a process have taken so far.
double cpu_seconds(pid_t pid);

/// Throws what errno says unless `done`.
void must(bool done, const std::string& what);

}  // namespace quiver::bench
