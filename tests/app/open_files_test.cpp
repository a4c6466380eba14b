// The limit of this very process, put back at the end.

#include "app/open_files.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <sys/resource.h>

namespace quiver::app {
namespace {

rlimit limit_now() {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit;
}

TEST_CASE("open files: the soft limit is raised towards the hard one", "[app]") {
  const rlimit before = limit_now();
  const rlim_t most = std::min<rlim_t>(before.rlim_max, 65'536);
  rlimit low = before;
  low.rlim_cur = std::min<rlim_t>(before.rlim_max, 256);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  raise_open_files_limit();
  CHECK(limit_now().rlim_cur == most);
  CHECK(limit_now().rlim_max == before.rlim_max);
  raise_open_files_limit();
  CHECK(limit_now().rlim_cur == most);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

}  // namespace
}  // namespace quiver::app
