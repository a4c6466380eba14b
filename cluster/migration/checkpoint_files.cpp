#include "cluster/migration/checkpoint_files.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "storage/files.h"
#include "thrift/limits.h"

namespace quiver::cluster {

CheckpointFiles::CheckpointFiles(std::filesystem::path directory, LogPosition position)
    : directory_(std::move(directory)), id_(directory_.filename().string()), position_(position) {}

CheckpointFiles::~CheckpointFiles() {
  std::error_code problem;
  std::filesystem::remove_all(directory_, problem);
  if (problem) {
    QV_LOG_WARN("checkpoint_left dir=\"{}\" error=\"{}\" remedy=removed_at_start",
                directory_.string(), problem.message());
  }
}

Result<std::shared_ptr<CheckpointFiles>> CheckpointFiles::take(std::filesystem::path directory,
                                                               LogPosition position) {
  std::shared_ptr<CheckpointFiles> out(new CheckpointFiles(std::move(directory), position));
  QV_CHECK(out->find_files());
  return out;
}

Status CheckpointFiles::find_files() {
  constexpr std::string_view kDoing = "read the files of a checkpoint";
  std::error_code problem;
  auto entry = std::filesystem::recursive_directory_iterator(directory_, problem);
  for (; !problem && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(problem)) {
    if (!entry->is_regular_file(problem)) continue;
    const auto bytes = entry->file_size(problem);
    if (problem) break;
    files_.emplace(entry->path().lexically_relative(directory_).generic_string(), bytes);
  }
  if (problem) return storage::file_error(problem.value(), kDoing);
  if (files_.size() > thrift::kCheckpointFilesMax) {
    return Error{ErrorCode::ResourceExhausted,
                 "a checkpoint of the shard has " + std::to_string(files_.size()) +
                     " files, more than the " + std::to_string(thrift::kCheckpointFilesMax) +
                     " that can be moved"};
  }
  return Done{};
}

thrift::Checkpoint CheckpointFiles::describe() const {
  thrift::Checkpoint out{id_, {}, position_};
  for (const auto& [name, bytes] : files_) out.files.push_back({name, bytes});
  return out;
}

std::uint64_t CheckpointFiles::bytes() const noexcept {
  std::uint64_t out = 0;
  for (const auto& [unused, size] : files_) out += size;
  return out;
}

Result<std::string> CheckpointFiles::read(const std::string& file, std::uint64_t offset,
                                          std::size_t length) const {
  constexpr std::string_view kDoing = "read a file of a checkpoint";
  const auto known = files_.find(file);
  if (known == files_.end()) {
    return Error{ErrorCode::NotFound, "the checkpoint has no file \"" + file + '"'};
  }
  if (offset > known->second) {
    return Error{ErrorCode::InvalidArgument, "offset: the file \"" + file + "\" has " +
                                                 std::to_string(known->second) + " bytes, got " +
                                                 std::to_string(offset)};
  }
  const storage::FileDescriptor opened(
      ::open((directory_ / known->first).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!opened.valid()) return storage::file_error(errno, kDoing);
  std::string bytes(
      static_cast<std::size_t>(std::min<std::uint64_t>(length, known->second - offset)), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto more = ::pread(opened.get(), bytes.data() + got, bytes.size() - got,
                              static_cast<off_t>(offset + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return storage::file_error(errno, kDoing);
    if (more == 0) {
      return Error{ErrorCode::Corruption, "the file \"" + file + "\" of a checkpoint was cut"};
    }
    got += static_cast<std::size_t>(more);
  }
  return bytes;
}

}  // namespace quiver::cluster
