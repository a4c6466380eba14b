#include "cluster/migration/receiver.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <set>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "storage/files.h"
#include "thrift/limits.h"

namespace quiver::cluster {
namespace {

constexpr std::string_view kDoing = "write a file of an incoming shard";
// A damaged chunk is asked for again: the network may have done it, or the disk will do it again.
constexpr int kChunkAttempts = 3;

Status write_at(int file, const std::string& bytes, std::uint64_t offset) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto more = ::pwrite(file, bytes.data() + written, bytes.size() - written,
                               static_cast<off_t>(offset + written));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return storage::file_error(errno, kDoing);
    written += static_cast<std::size_t>(more);
  }
  return Done{};
}

Status sync_directories(const Transfer& transfer) {
  std::set<std::filesystem::path> directories{transfer.directory};
  for (const auto& file : transfer.checkpoint.files) {
    directories.insert((transfer.directory / file.name).parent_path());
  }
  for (const auto& directory : directories) QV_CHECK(storage::sync_directory(directory));
  return Done{};
}

}  // namespace

Receiver::Receiver(storage::ShardStore& store, const Options& options)
    : store_(store), options_(options) {}

thrift::ShardCall Receiver::timed(const thrift::ShardCall& call) const {
  auto out = call;
  out.context.deadline = std::chrono::steady_clock::now() + options_.call_time;
  return out;
}

Status Receiver::receive(const thrift::ShardCall& call, thrift::NodeHandler& source,
                         const CopyId& to_copy, Transfer& transfer, const Progress& progress) {
  auto fetched = fetch(call, source, to_copy, transfer, progress);
  if (fetched.ok() || transfer.hopeless || transfer.checkpoint.id.empty()) return fetched;
  // The source may have ended the hold for that.
  if (is_overdue(transfer)) return give_up(transfer);
  return fetched;
}

bool Receiver::is_overdue(const Transfer& transfer) const {
  return std::chrono::steady_clock::now() - transfer.held_since >= options_.hold_total;
}

Error Receiver::give_up(Transfer& transfer) const {
  transfer.hopeless = true;
  using Seconds = std::chrono::duration<double>;
  const auto took = Seconds(std::chrono::steady_clock::now() - transfer.held_since).count();
  const auto most = Seconds(options_.hold_total).count();
  return {ErrorCode::DeadlineExceeded,
          "the shard is too large to be moved: its writes may wait for " +
              std::to_string(static_cast<int>(most)) + " s, and " +
              std::to_string(transfer.bytes_done) + " of " + std::to_string(transfer.bytes_total) +
              " bytes arrived in " + std::to_string(static_cast<int>(took)) +
              " s; move it over a faster network, or keep the points in more shards"};
}

Status Receiver::check_time(Transfer& transfer) const {
  using Seconds = std::chrono::duration<double>;
  const double most = Seconds(options_.hold_total).count();
  const auto left = static_cast<double>(transfer.bytes_total - transfer.bytes_done);
  double needed = 0;
  const auto pace = options_.pace->bytes_per_second();
  if (pace > 0) needed = left / static_cast<double>(pace);
  const double took = Seconds(std::chrono::steady_clock::now() - transfer.held_since).count();
  if (took >= most / 4 && transfer.bytes_done > 0) {
    needed = std::max(needed, took * left / static_cast<double>(transfer.bytes_done));
  }
  if (took + needed < most) return Done{};
  return give_up(transfer);
}

Status Receiver::fetch(const thrift::ShardCall& call, thrift::NodeHandler& source,
                       const CopyId& to_copy, Transfer& transfer, const Progress& progress) {
  QV_CHECK(begin(call, source, to_copy, transfer));
  return receive_files(call, source, transfer, progress);
}

Status Receiver::receive_offered(const thrift::ShardCall& call, thrift::NodeHandler& source,
                                 const thrift::Checkpoint& offered, Transfer& transfer,
                                 const Progress& progress) {
  transfer.held_since = std::chrono::steady_clock::now();
  if (transfer.checkpoint.id != offered.id) {
    QV_CHECK(expect_files(offered, transfer));
    transfer.checkpoint = offered;
  }
  return receive_files(call, source, transfer, progress);
}

Status Receiver::receive_files(const thrift::ShardCall& call, thrift::NodeHandler& source,
                               Transfer& transfer, const Progress& progress) {
  while (transfer.file < transfer.checkpoint.files.size()) {
    QV_CHECK(receive_file(call, source, transfer, progress));
    ++transfer.file;
    transfer.offset = 0;
  }
  return sync_directories(transfer);
}

Status Receiver::begin(const thrift::ShardCall& call, thrift::NodeHandler& source,
                       const CopyId& to_copy, Transfer& transfer) {
  const auto asked = std::chrono::steady_clock::now();
  QV_CHECK(source.hold_writes(timed(call), options_.hold).result);
  auto made = source.begin_checkpoint(timed(call)).result;
  if (!made.ok() && made.error().code == ErrorCode::ResourceExhausted) {
    transfer.hopeless = true;
    return Error{
        ErrorCode::ResourceExhausted,
        "the server that has the shard cannot write it out for a copy: " + made.error().message +
            "; if its disk is full, free some room there and move the shard again"};
  }
  QV_TRY(auto checkpoint, std::move(made));
  // The same checkpoint: the hold has not been broken, and what was received is good.
  if (checkpoint.id == transfer.checkpoint.id) return Done{};
  transfer = {};
  transfer.held_since = asked;
  QV_TRY(transfer.directory, store_.prepare_incoming(to_copy));
  QV_CHECK(expect_files(checkpoint, transfer));
  transfer.checkpoint = std::move(checkpoint);
  return check_time(transfer);
}

Status Receiver::expect_files(const thrift::Checkpoint& checkpoint, Transfer& transfer) {
  std::set<std::string> names;
  for (const auto& file : checkpoint.files) {
    if (!names.insert(file.name).second ||
        file.bytes > std::numeric_limits<std::uint64_t>::max() - transfer.bytes_total) {
      return Error{ErrorCode::Corruption,
                   "the source names the file \"" + file.name + "\" twice, or with too many bytes"};
    }
    transfer.bytes_total += file.bytes;
  }
  return storage::check_room(transfer.directory, transfer.bytes_total);
}

Status Receiver::receive_file(const thrift::ShardCall& call, thrift::NodeHandler& source,
                              Transfer& transfer, const Progress& progress) {
  const auto& file = transfer.checkpoint.files[transfer.file];
  const auto path = transfer.directory / file.name;
  QV_CHECK(storage::make_directories(path.parent_path(), "the directory of an incoming shard"));
  const storage::FileDescriptor opened(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!opened.valid()) return storage::file_error(errno, kDoing);
  const auto most = options_.pace->piece_bytes(thrift::kChunkBytesMax);
  while (transfer.offset < file.bytes) {
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(most, file.bytes - transfer.offset));
    QV_CHECK(options_.pace->take(call.context, transfer.checkpoint.id, length));
    QV_TRY(const auto bytes, read_chunk(call, source, transfer, length));
    QV_CHECK(write_at(opened.get(), bytes, transfer.offset));
    transfer.offset += bytes.size();
    transfer.bytes_done += bytes.size();
    QV_CHECK(progress(transfer));
    QV_CHECK(check_time(transfer));
  }
  if (::fsync(opened.get()) != 0) return storage::file_error(errno, kDoing);
  return Done{};
}

Result<std::string> Receiver::read_chunk(const thrift::ShardCall& call, thrift::NodeHandler& source,
                                         const Transfer& transfer, std::size_t length) const {
  const auto& file = transfer.checkpoint.files[transfer.file];
  const thrift::ChunkCall wanted{transfer.checkpoint.id, file.name, transfer.offset, length};
  for (int attempt = 1;; ++attempt) {
    auto chunk = source.read_chunk(timed(call), wanted);
    if (chunk.ok() && chunk->size() == length) return std::move(*chunk);
    Error problem = chunk.ok() ? Error{ErrorCode::Corruption,
                                       "the source cut the file \"" + file.name + "\" short"}
                               : chunk.error();
    if (problem.code != ErrorCode::Corruption || attempt == kChunkAttempts) return problem;
  }
}

}  // namespace quiver::cluster
