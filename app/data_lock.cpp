#include "app/data_lock.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace quiver::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLockFileBytesMax = 8192;

fs::path lock_path(const fs::path& data_dir) {
  return data_dir / "lock";
}

Status make_directory(const fs::path& data_dir) {
  std::error_code problem;
  if (fs::is_directory(data_dir, problem)) return Done{};
  const bool made = fs::create_directories(data_dir, problem);
  if (problem) return lock_error(problem.value(), data_dir);
  if (made) fs::permissions(data_dir, fs::perms::owner_all, problem);
  if (problem) return lock_error(problem.value(), data_dir);
  return Done{};
}

/// Whether `fd` still is the file at `path`: somebody may have removed it before it was locked.
bool is_at(int fd, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace

Error lock_error(int problem, const fs::path& data_dir) {
  const std::string where = "data directory " + data_dir.string() + ": ";
  switch (problem) {
    case EACCES:
    case EPERM:
    case EROFS:
      return {ErrorCode::FailedPrecondition,
              where + "cannot be written to (" + std::strerror(problem) +
                  "); make it writable or name another one with --data"};
    case ENOTDIR:
    case EEXIST:
      return {ErrorCode::FailedPrecondition,
              where + "is not a directory; name another one with --data"};
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP:
    case EINVAL:
      return {ErrorCode::FailedPrecondition,
              where + "its file system has no file locks (" + std::strerror(problem) +
                  "), so two processes could damage the data; use a local disk"};
    case ENOSPC:
    case EDQUOT: return {ErrorCode::ResourceExhausted, where + std::strerror(problem)};
    default: return {ErrorCode::FailedPrecondition, where + std::strerror(problem)};
  }
}

Result<std::optional<DataLock>> DataLock::try_acquire(const fs::path& data_dir) {
  QV_CHECK(make_directory(data_dir));
  const fs::path path = lock_path(data_dir);
  while (true) {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return lock_error(errno, data_dir);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::optional<DataLock>{};
      if (errno == EINTR) continue;
      return lock_error(errno, data_dir);
    }
    if (!is_at(file.get(), path)) continue;
    // What the last owner wrote no longer holds.
    if (::ftruncate(file.get(), 0) != 0) return lock_error(errno, data_dir);
    return std::optional<DataLock>(DataLock(std::move(file)));
  }
}

Status DataLock::publish(const std::string& socket) const {
  const std::string text = std::to_string(::getpid()) + "\n" + socket + "\n";
  const auto written = ::pwrite(file_.get(), text.data(), text.size(), 0);
  if (written == static_cast<ssize_t>(text.size())) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               std::string("cannot write the lock file: ") + std::strerror(errno)};
}

std::optional<Holder> DataLock::read_holder(const fs::path& data_dir) {
  const Fd file(::open(lock_path(data_dir).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return std::nullopt;
  std::array<char, kLockFileBytesMax> bytes{};
  const auto count = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  const std::string_view text(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  Holder holder;
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) return holder;
  std::from_chars(text.data(), text.data() + line_end, holder.pid);
  const std::string_view rest = text.substr(line_end + 1);
  if (!rest.empty() && rest.back() == '\n') holder.socket = rest.substr(0, rest.size() - 1);
  return holder;
}

}  // namespace quiver::app
