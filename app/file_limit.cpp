#include "app/file_limit.h"

#include <algorithm>

#include <sys/resource.h>

namespace quiver::app {

std::size_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

std::size_t connections_within(std::size_t wanted, std::size_t files) {
  // Storage's tables and logs, mostly.
  constexpr std::size_t kOthers = 512;
  const std::size_t spare = files > 2 * kOthers ? files - kOthers : files / 2;
  return std::max<std::size_t>(1, std::min(wanted, spare));
}

}  // namespace quiver::app
