// A process that claims the protocol streams and then prints where it should not: what comes out of
// its stdout is the protocol alone. With the argument "closed" it closes its standard streams first
// and tells by its exit code whether a file that is opened then stays clear of them.

#include <cstdio>
#include <iostream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "app/standard_streams.h"

int main(int argc, char**) {
  using namespace quiver::app;
  if (argc > 1) {
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    if (!ensure_standard_streams().ok()) return 1;
    // Who writes learns that nobody reads it.
    if (::write(1, "x", 1) >= 0) return 3;
    return ::open("/dev/null", O_RDONLY) > 2 ? 0 : 2;
  }
  std::printf("buffered before");  // flushed at the end, to stderr
  auto streams = claim_protocol_streams();
  if (!streams.ok()) return 1;
  std::printf("stray\n");
  std::cout << "stray" << std::endl;
  if (::write(1, "stray\n", 6) != 6) return 1;
  char c = 0;
  if (::read(0, &c, 1) != 0) return 2;  // nobody else reads the protocol
  if (::read(streams->in.get(), &c, 1) != 1) return 3;
  const std::string line = std::string("protocol ") + c + "\n";
  return ::write(streams->out.get(), line.data(), line.size()) > 0 ? 0 : 4;
}
