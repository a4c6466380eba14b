#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"

namespace quiver::storage {

/// From an errno to an Error: full disk or quota is ResourceExhausted, all else Unavailable.
/// `doing` completes "cannot ..." and names the part that the file plays.
Error file_error(int number, std::string_view doing);

/// Makes a directory and those above it, each durable in its parent. `role` is what it is for.
Status make_directories(const std::filesystem::path& directory, std::string_view role);
/// Makes the entries of a directory durable: names made, renamed or removed in it.
Status sync_directory(const std::filesystem::path& directory);

/// Whether the file system of `directory` has room for `bytes` more, quotas and limits included: it
/// is taken, and given back at once, also if the process dies.
Status check_room(const std::filesystem::path& directory, std::uint64_t bytes);

/// Replaces a small file whole: whoever reads it sees the old or the new content, also after a
/// power failure.
Status write_file_atomically(const std::filesystem::path& file, std::string_view content,
                             std::string_view role);
/// Errors: NotFound if there is no such file; ResourceExhausted above `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max,
                              std::string_view role);

/// Closes a file descriptor when it goes out of scope.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) noexcept : number_(number) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const noexcept { return number_; }
  bool valid() const noexcept { return number_ >= 0; }

 private:
  int release() noexcept;

  int number_;
};

}  // namespace quiver::storage
