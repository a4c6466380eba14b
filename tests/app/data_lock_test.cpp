// The lock and the socket on real directories. What another user or file system would do is tested
// at the functions that translate it.

#include "app/data_lock.h"

#include <cerrno>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "app/owner_socket.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

mode_t mode_of(const fs::path& file) {
  struct stat found {};
  REQUIRE(::lstat(file.c_str(), &found) == 0);
  return found.st_mode & 0777U;
}

TEST_CASE("DataLock: the first gets it, the second does not until the first lets go",
          "[app][lock]") {
  const TempDir dir;
  auto first = DataLock::try_acquire(dir.path());
  REQUIRE(first.ok());
  REQUIRE(first->has_value());
  CHECK_FALSE(DataLock::try_acquire(dir.path())->has_value());
  first->reset();
  CHECK(DataLock::try_acquire(dir.path())->has_value());
}

TEST_CASE("DataLock: makes a private directory and a private file", "[app][lock]") {
  const TempDir dir;
  const auto data = dir.path() / "a/b";
  REQUIRE(DataLock::try_acquire(data)->has_value());
  CHECK(mode_of(data) == 0700);
  CHECK(mode_of(data / "lock") == 0600);
}

TEST_CASE("DataLock: tells who holds it and where to ask", "[app][lock]") {
  const TempDir dir;
  CHECK_FALSE(DataLock::read_holder(dir.path()).has_value());
  auto lock = DataLock::try_acquire(dir.path());
  CHECK(DataLock::read_holder(dir.path())->socket.empty());
  REQUIRE((*lock)->publish("/somewhere/with space/q.sock").ok());
  const auto holder = DataLock::read_holder(dir.path());
  CHECK(holder->pid == ::getpid());
  CHECK(holder->socket == "/somewhere/with space/q.sock");
  // The next owner starts with a clean page.
  lock->reset();
  lock = DataLock::try_acquire(dir.path());
  CHECK(DataLock::read_holder(dir.path())->socket.empty());
}

TEST_CASE("DataLock: a damaged lock file names nobody", "[app][lock]") {
  const TempDir dir;
  dir.write("lock", "no pid here");
  CHECK(DataLock::read_holder(dir.path())->socket.empty());
  dir.write("lock", "x\ny");
  CHECK(DataLock::read_holder(dir.path())->pid == 0);
  dir.write("lock", std::string(20'000, '\n'));
  CHECK(DataLock::try_acquire(dir.path())->has_value());
}

TEST_CASE("DataLock: a place where no data can be says so", "[app][lock]") {
  const TempDir dir;
  const auto file = dir.write("file", "");
  for (const auto& place : {file, file / "below"}) {
    const auto lock = DataLock::try_acquire(place);
    REQUIRE_FALSE(lock.ok());
    CHECK(lock.error().code == ErrorCode::FailedPrecondition);
    CHECK_THAT(lock.error().message, Contains(place.string()) && Contains("--data"));
  }
  CHECK_FALSE(DataLock::try_acquire("/proc/quiver").ok());
  fs::create_symlink("/etc/hostname", dir.path() / "lock");
  CHECK_FALSE(DataLock::try_acquire(dir.path()).ok());
}

TEST_CASE("DataLock: an unwritable directory is refused", "[app][lock]") {
  if (::geteuid() == 0) return;  // root may write everywhere
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto lock = DataLock::try_acquire(dir.path());
  fs::permissions(dir.path(), fs::perms::owner_all);
  REQUIRE_FALSE(lock.ok());
  CHECK_THAT(lock.error().message, Contains("cannot be written to"));
}

TEST_CASE("DataLock: errors of the system become advice", "[app][lock]") {
  CHECK_THAT(lock_error(EROFS, "/d").message, Contains("cannot be written to"));
  CHECK_THAT(lock_error(ENOLCK, "/d").message, Contains("no file locks"));
  CHECK_THAT(lock_error(EOPNOTSUPP, "/d").message, Contains("local disk"));
  CHECK(lock_error(ENOSPC, "/d").code == ErrorCode::ResourceExhausted);
  CHECK(lock_error(EIO, "/d").code == ErrorCode::FailedPrecondition);
}

TEST_CASE("OwnerSocket: listens beside the data, for this user only, and leaves nothing behind",
          "[app][lock]") {
  const TempDir dir;
  std::string path;
  {
    auto socket = OwnerSocket::listen(dir.path(), {});
    REQUIRE(socket.ok());
    path = socket->path();
    CHECK(path == (dir.path() / "quiver.sock").string());
    CHECK(mode_of(path) == 0600);
    CHECK(connect_to_owner(path).ok());
  }
  CHECK_FALSE(fs::exists(path));
  CHECK(connect_to_owner(path).error().code == ErrorCode::Unavailable);
}

TEST_CASE("OwnerSocket: replaces what a dead owner left, but no other file", "[app][lock]") {
  const TempDir dir;
  const auto path = dir.path() / "quiver.sock";
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  REQUIRE(fs::exists(path));
  CHECK(connect_to_owner(path.string()).error().code == ErrorCode::Unavailable);
  CHECK(OwnerSocket::listen(dir.path(), {})->path() == path.string());

  dir.write("quiver.sock", "precious");
  const auto elsewhere = OwnerSocket::listen(dir.path(), {});
  REQUIRE(elsewhere.ok());
  CHECK(elsewhere->path() != path.string());
  CHECK(fs::file_size(path) == 8);
}

TEST_CASE("OwnerSocket: a path too long for a socket goes to the runtime directory, else to /tmp",
          "[app][lock]") {
  const TempDir dir;
  const TempDir runtime;
  const auto data = dir.path() / std::string(120, 'd');
  fs::create_directories(data);
  {
    const auto socket = OwnerSocket::listen(data, {{"XDG_RUNTIME_DIR", runtime.path().string()}});
    REQUIRE(socket.ok());
    CHECK(fs::path(socket->path()).parent_path() == runtime.path());
    CHECK(connect_to_owner(socket->path()).ok());
  }
  const auto socket = OwnerSocket::listen(data, {});
  REQUIRE(socket.ok());
  const auto folder = fs::path(socket->path()).parent_path();
  CHECK_THAT(folder.string(), Catch::StartsWith("/tmp/quiver-" + std::to_string(::geteuid())));
  CHECK(mode_of(folder) == 0700);

  // Somebody else could wait in a directory that is open to all.
  fs::permissions(folder, fs::perms::all);
  const auto refused = OwnerSocket::listen(data, {});
  CHECK_FALSE(refused.ok());
  fs::remove_all(folder);
}

TEST_CASE("connect_to_owner: refuses a path that no socket can have", "[app][lock]") {
  CHECK(connect_to_owner("/" + std::string(200, 'x')).error().code ==
        ErrorCode::FailedPrecondition);
}

}  // namespace
}  // namespace quiver::app
