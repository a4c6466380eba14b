#include "storage/files.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quiver::storage {
namespace {

constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;

Status write_all(int file, std::string_view content, const std::string& doing) {
  while (!content.empty()) {
    const auto written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error(errno, doing);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return Done{};
}

Status write_new_file(const std::filesystem::path& file, std::string_view content,
                      const std::string& doing) {
  const FileDescriptor out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode));
  if (!out.valid()) return file_error(errno, doing);
  QV_CHECK(write_all(out.get(), content, doing));
  if (::fsync(out.get()) != 0) return file_error(errno, doing);
  return Done{};
}

}  // namespace

Error file_error(int number, std::string_view doing) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return {full ? ErrorCode::ResourceExhausted : ErrorCode::Unavailable,
          "cannot " + std::string(doing) + ": " + std::generic_category().message(number)};
}

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) (void)::close(number_);
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

int FileDescriptor::release() noexcept {
  return std::exchange(number_, -1);
}

Status sync_directory(const std::filesystem::path& directory) {
  const auto doing = "sync the directory " + directory.string();
  const FileDescriptor file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.valid()) return file_error(errno, doing);
  if (::fsync(file.get()) != 0) return file_error(errno, doing);
  return Done{};
}

Status make_directories(const std::filesystem::path& directory, std::string_view role) {
  const auto parent = directory.has_parent_path() ? directory.parent_path() : ".";
  int number = ::mkdir(directory.c_str(), kDirectoryMode) == 0 ? 0 : errno;
  if (number == ENOENT && directory.has_parent_path() && parent != directory) {
    QV_CHECK(make_directories(parent, role));
    number = ::mkdir(directory.c_str(), kDirectoryMode) == 0 ? 0 : errno;
  }
  if (number == 0) return sync_directory(parent);
  std::error_code ignored;
  if (number == EEXIST && std::filesystem::is_directory(directory, ignored)) return Done{};
  return file_error(number == EEXIST ? ENOTDIR : number,
                    "make " + std::string(role) + " " + directory.string());
}

Status write_file_atomically(const std::filesystem::path& file, std::string_view content,
                             std::string_view role) {
  const auto doing = "write " + std::string(role) + " " + file.string();
  auto temporary = file;
  temporary += ".new";
  auto status = write_new_file(temporary, content, doing);
  if (status.ok() && ::rename(temporary.c_str(), file.c_str()) != 0) {
    status = file_error(errno, doing);
  }
  if (!status.ok()) {
    (void)::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(file.parent_path());
}

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max,
                              std::string_view role) {
  const auto doing = "read " + std::string(role) + " " + file.string();
  const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid() && errno == ENOENT) {
    return Error{ErrorCode::NotFound, std::string(role) + " is missing: " + file.string()};
  }
  if (!in.valid()) return file_error(errno, doing);
  std::string content(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const auto got = ::read(in.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(errno, doing);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > bytes_max) {
    return Error{ErrorCode::ResourceExhausted,
                 std::string(role) + " is larger than " + std::to_string(bytes_max) + " bytes"};
  }
  content.resize(size);
  return content;
}

Status check_room(const std::filesystem::path& directory, std::uint64_t bytes) {
  const auto file = directory / "room.probe";
  const FileDescriptor probe(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!probe.valid()) return file_error(errno, "look for room on the disk");
  if (::unlink(file.c_str()) != 0) return file_error(errno, "look for room on the disk");
  if (bytes == 0) return Done{};
  const int number = ::posix_fallocate(probe.get(), 0, static_cast<off_t>(bytes));
  if (number != 0) return file_error(number, "find room on the disk");
  return Done{};
}

}  // namespace quiver::storage
