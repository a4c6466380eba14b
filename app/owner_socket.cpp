#include "app/owner_socket.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/text.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;

constexpr int kBacklog = 64;
constexpr mode_t kOnlyMe = 0700;

Error failed(const std::string& path, const std::string& what) {
  return {ErrorCode::FailedPrecondition, "socket " + path + ": " + what};
}

bool fits(const std::string& path) {
  return path.size() < sizeof(sockaddr_un::sun_path);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

std::string hash_of(const fs::path& data_dir) {
  std::error_code ignored;
  const std::string whole = fs::weakly_canonical(data_dir, ignored).string();
  std::array<char, 16> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), stable_hash(whole), 16);
  return {digits.data(), end.ptr};
}

/// A directory under /tmp that no other user made or can write to.
Status make_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kOnlyMe) != 0 && errno != EEXIST) {
    return failed(path, std::strerror(errno));
  }
  struct stat found {};
  const bool is_mine = ::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                       found.st_uid == ::geteuid() && (found.st_mode & 0777U) == kOnlyMe;
  if (is_mine) return Done{};
  return failed(path, "is not a directory of this user with mode 0700; remove it");
}

Status remove_stale(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return Done{};
  if (!S_ISSOCK(found.st_mode)) return failed(path, "is in the way and not a socket; remove it");
  if (::unlink(path.c_str()) != 0) return failed(path, std::strerror(errno));
  return Done{};
}

Result<Fd> bind_and_listen(const std::string& path) {
  QV_CHECK(remove_stale(path));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(path, std::strerror(errno));
  const sockaddr_un address = address_of(path);
  // Before listen() nobody can connect, so the mode is right from the first moment.
  const bool listens =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::chmod(path.c_str(), 0600) == 0 && ::listen(fd.get(), kBacklog) == 0;
  if (!listens) return failed(path, std::strerror(errno));
  return fd;
}

}  // namespace

Result<OwnerSocket> OwnerSocket::listen(const fs::path& data_dir, const Environment& environment) {
  std::string problems;
  const auto attempt = [&](const std::string& path) -> std::optional<OwnerSocket> {
    auto fd = bind_and_listen(path);
    if (fd.ok()) return OwnerSocket(std::move(*fd), path);
    problems += (problems.empty() ? "" : "; ") + fd.error().message;
    return std::nullopt;
  };
  // Absolute, because those who read it from the lock file run elsewhere.
  std::error_code ignored;
  const std::string beside = (fs::absolute(data_dir, ignored) / "quiver.sock").string();
  if (fits(beside)) {
    if (auto socket = attempt(beside)) return std::move(*socket);
  }
  const std::string hash = hash_of(data_dir);
  const auto runtime = environment.find("XDG_RUNTIME_DIR");
  if (runtime != environment.end() && !runtime->second.empty()) {
    const std::string path = runtime->second + "/quiver-" + hash + ".sock";
    if (fits(path)) {
      if (auto socket = attempt(path)) return std::move(*socket);
    }
  }
  const std::string directory = "/tmp/quiver-" + std::to_string(::geteuid()) + "-" + hash;
  QV_CHECK(make_private_directory(directory));
  if (auto socket = attempt(directory + "/quiver.sock")) return std::move(*socket);
  return Error{ErrorCode::FailedPrecondition, problems};
}

OwnerSocket::~OwnerSocket() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

Result<Fd> connect_to_owner(const std::string& path) {
  if (!fits(path)) return failed(path, "is too long for a Unix socket");
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(path, std::strerror(errno));
  const sockaddr_un address = address_of(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const auto code =
        errno == EACCES || errno == EPERM ? ErrorCode::PermissionDenied : ErrorCode::Unavailable;
    return Error{code, "socket " + path + ": " + std::strerror(errno)};
  }
  if (!is_trusted_peer(fd.get())) {
    return Error{ErrorCode::PermissionDenied,
                 "socket " + path + ": belongs to a process of another user; run as that user"};
  }
  return fd;
}

bool is_trusted_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace quiver::app
