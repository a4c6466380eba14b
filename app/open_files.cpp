#include "app/open_files.h"

#include <algorithm>

#include <sys/resource.h>

namespace quiver::app {
namespace {

/// Some 5,000 open shards. The hard limit may be a billion, for which nothing here is made.
constexpr rlim_t kOpenFilesMax = 65'536;

}  // namespace

void raise_open_files_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kOpenFilesMax);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace quiver::app
