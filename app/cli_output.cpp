#include "app/cli_output.h"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include <unistd.h>

namespace quiver::app {

Status write_stdout(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error{ErrorCode::Unavailable, std::string("stdout: ") + std::strerror(errno)};
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return Done{};
}

void write_stderr(std::string_view text) {
  std::cerr << text << std::flush;
}

}  // namespace quiver::app
