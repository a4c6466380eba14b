#include "app/standard_streams.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>

namespace quiver::app {
namespace {

constexpr int kIn = 0;
constexpr int kOut = 1;
constexpr int kError = 2;

Error failed(const char* what) {
  return {ErrorCode::ResourceExhausted, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Status ensure_standard_streams() {
  for (const int fd : {kIn, kOut, kError}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // open() takes the lowest free descriptor, which is this one. What is to go to a stdout that
    // was closed fails, so that nobody takes it for written.
    if (::open("/dev/null", fd == kOut ? O_RDONLY : O_RDWR) != fd)
      return failed("cannot open /dev/null");
  }
  return Done{};
}

Result<ProtocolStreams> claim_protocol_streams() {
  ProtocolStreams streams{Fd(::fcntl(kIn, F_DUPFD_CLOEXEC, kError + 1)),
                          Fd(::fcntl(kOut, F_DUPFD_CLOEXEC, kError + 1))};
  if (!streams.in.valid() || !streams.out.valid()) return failed("cannot duplicate stdio");
  const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.valid()) return failed("cannot open /dev/null");
  if (::dup2(nothing.get(), kIn) < 0 || ::dup2(kError, kOut) < 0) {
    return failed("cannot redirect stdio");
  }
  return streams;
}

}  // namespace quiver::app
