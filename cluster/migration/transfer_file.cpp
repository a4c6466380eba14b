#include "cluster/migration/transfer_file.h"

#include <cerrno>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "core/json.h"
#include "storage/files.h"

namespace quiver::cluster {
namespace {

constexpr std::string_view kRole = "how far the files of a copy have come";
constexpr std::size_t kBytesMax = 4096;

std::filesystem::path file_in(const std::filesystem::path& directory) {
  return directory / storage::ShardStore::kTransferFile;
}

/// Those that are complete are durable, but their names may not be.
Status sync_files(const Transfer& transfer) {
  const auto& files = transfer.checkpoint.files;
  std::set<std::filesystem::path> directories;
  for (std::size_t i = 0; i < files.size() && i <= transfer.file; ++i) {
    const auto path = transfer.directory / files[i].name;
    if (i == transfer.file && transfer.offset == 0) break;
    directories.insert(path.parent_path());
    if (i < transfer.file) continue;
    const storage::FileDescriptor opened(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!opened.valid() || ::fsync(opened.get()) != 0) return storage::file_error(errno, kRole);
  }
  for (const auto& directory : directories) QV_CHECK(storage::sync_directory(directory));
  return Done{};
}

}  // namespace

Status save_transfer(const Transfer& transfer) {
  QV_CHECK(sync_files(transfer));
  const Json json{
      {"checkpoint", transfer.checkpoint.id}, {"file", transfer.file}, {"offset", transfer.offset}};
  return storage::write_file_atomically(file_in(transfer.directory), json.dump(), kRole);
}

std::optional<Transfer> load_transfer(const std::filesystem::path& directory,
                                      const thrift::Checkpoint& offered) {
  const auto text = storage::read_file(file_in(directory), kBytesMax, kRole);
  if (!text.ok()) return std::nullopt;
  const auto json = Json::parse(*text, nullptr, false);
  Transfer out;
  try {
    if (json.at("checkpoint").get<std::string>() != offered.id) return std::nullopt;
    json.at("file").get_to(out.file);
    json.at("offset").get_to(out.offset);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  if (out.file > offered.files.size()) return std::nullopt;
  for (std::size_t i = 0; i < offered.files.size(); ++i) {
    const auto& file = offered.files[i];
    out.bytes_total += file.bytes;
    if (i > out.file || (i == out.file && out.offset == 0)) continue;
    std::error_code problem;
    const auto there = std::filesystem::file_size(directory / file.name, problem);
    const auto needed = i < out.file ? file.bytes : out.offset;
    // Behind its offset there may be what was not durable, and is fetched again.
    if (problem || there < needed || there > file.bytes) return std::nullopt;
    out.bytes_done += needed;
  }
  if (out.file == offered.files.size() && out.offset != 0) return std::nullopt;
  out.directory = directory;
  out.checkpoint = offered;
  return out;
}

Status forget_transfer(const std::filesystem::path& directory) {
  std::error_code problem;
  const bool was_there = std::filesystem::remove(file_in(directory), problem);
  if (problem) return storage::file_error(problem.value(), kRole);
  return was_there ? storage::sync_directory(directory) : Status(Done{});
}

}  // namespace quiver::cluster
