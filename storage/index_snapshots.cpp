#include "storage/index_snapshots.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "storage/files.h"

namespace quiver::storage {
namespace {

/// Changes after which a crash would cost too much rebuilding: a fifth of the vectors.
constexpr std::uint64_t kBackgroundMin = 10'000;
constexpr std::uint64_t kBackgroundShare = 5;
/// Changes that a clean stop saves: what takes longer than about a second to link again.
constexpr std::uint64_t kCloseMin = 1000;
constexpr std::uint64_t kCloseShare = 100;
/// A shard that is written to without a pause is saved with part of its vectors unlinked.
constexpr std::chrono::minutes kLinkWait{5};
constexpr const char* kNextSuffix = ".next";

}  // namespace

IndexSnapshots::IndexSnapshots(HnswIndex& index, Rocks& rocks, const LiveSlots& live,
                               std::filesystem::path file)
    : index_(index), rocks_(rocks), live_(live), file_(std::move(file)) {
  // What a crash left of a snapshot that was not finished.
  auto next = file_;
  next += kNextSuffix;
  std::error_code ignored;
  std::filesystem::remove(next, ignored);
}

IndexSnapshots::~IndexSnapshots() {
  cancel_.cancel();
  if (thread_.joinable()) thread_.join();
}

void IndexSnapshots::changed(std::uint64_t vectors) {
  const auto pending = pending_ += vectors;
  if (pending < std::max(kBackgroundMin, live_.size() / kBackgroundShare)) return;
  if (running_.exchange(true)) return;
  if (thread_.joinable()) thread_.join();
  thread_ = std::thread([this] { save_in_background(); });
}

bool IndexSnapshots::worth_saving_at_close() const {
  return pending_ >= std::max(kCloseMin, live_.size() / kCloseShare);
}

void IndexSnapshots::save_in_background() {
  CallContext call;
  call.cancel = cancel_;
  call.deadline = std::chrono::steady_clock::now() + kLinkWait;
  const auto linked = index_.wait_indexed(call);
  call.deadline.reset();
  if (!linked.ok() && linked.error().code != ErrorCode::DeadlineExceeded) {
    QV_LOG_WARN("index_not_built error=\"{}\"", linked.error().message);
  } else if (const auto saved = save(call); !saved.ok() && !cancel_.cancelled()) {
    QV_LOG_WARN("index_not_saved error=\"{}\"", saved.error().message);
  }
  running_ = false;
}

Status IndexSnapshots::save(const CallContext& call) {
  QV_CHECK(turn_.take(call));
  auto status = write(call);
  turn_.give_back();
  return status;
}

Status IndexSnapshots::write(const CallContext& call) {
  auto next = file_;
  next += kNextSuffix;
  const auto covered = pending_.load();
  auto status = index_.save(call, next);
  if (status.ok()) status = rocks_.flush();
  if (!status.ok()) {
    // It may be what fills the disk.
    std::error_code ignored;
    std::filesystem::remove(next, ignored);
    return status;
  }
  std::error_code problem;
  if (std::filesystem::exists(next, problem)) {
    std::filesystem::rename(next, file_, problem);
  } else {
    std::filesystem::remove(file_, problem);
  }
  if (problem) return file_error(problem.value(), "replace the index snapshot");
  QV_CHECK(sync_directory(file_.parent_path()));
  pending_ -= covered;
  return Done{};
}

}  // namespace quiver::storage
