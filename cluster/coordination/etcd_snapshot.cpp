#include "cluster/coordination/etcd_snapshot.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "cluster/coordination/etcd_json.h"
#include "cluster/coordination/etcd_watch.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSilence{30};
constexpr std::size_t kLineBytesMax = std::size_t{16} << 20U;
constexpr std::string_view kSuffix = ".db";

/// A file that disappears unless it was completed.
class NewFile {
 public:
  explicit NewFile(const fs::path& target) : target_(target), part_(target.string() + ".part") {
    fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd_ < 0) failure_ = errno;
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    std::error_code ignored;
    fs::remove(part_, ignored);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  bool write(std::string_view bytes) {
    while (failure_ == 0 && !bytes.empty()) {
      const auto written = ::write(fd_, bytes.data(), bytes.size());
      if (written >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        failure_ = errno;
      }
    }
    return failure_ == 0;
  }

  Status complete() {
    if (failure_ == 0 && ::fsync(fd_) != 0) failure_ = errno;
    if (failure_ == 0 && ::rename(part_.c_str(), target_.c_str()) != 0) failure_ = errno;
    if (failure_ == 0) failure_ = sync_directory();
    if (failure_ == 0) return Done{};
    return Error{ErrorCode::ResourceExhausted,
                 "cannot write " + target_.string() + ": " + std::strerror(failure_)};
  }
  bool failed() const noexcept { return failure_ != 0; }

 private:
  int sync_directory() const {
    const int directory = ::open(target_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return errno;
    const int failure = ::fsync(directory) == 0 ? 0 : errno;
    ::close(directory);
    return failure;
  }

  const fs::path target_;
  const fs::path part_;
  int fd_ = -1;
  int failure_ = 0;
};

}  // namespace

Status save_etcd_snapshot(HttpClient& http, const CallContext& call, const std::string& origin,
                          const fs::path& file) {
  NewFile out(file);
  LineSplitter lines;
  std::optional<Error> broken;
  bool whole = false;
  const auto take = [&](std::string_view line) {
    auto blob = etcd::parse_snapshot_line(line);
    if (!blob.ok()) {
      broken = std::move(blob).error();
      return false;
    }
    whole = blob->remaining == 0;
    return out.write(blob->bytes);
  };
  const HttpRequest request{
      "POST", "/v3/maintenance/snapshot", {{"content-type", "application/json"}}, "{}"};
  const auto reply = http.stream(call, origin, request, kSilence, [&](std::string_view bytes) {
    return lines.feed(bytes, kLineBytesMax, take);
  });
  if (broken) return *broken;
  if (out.failed()) return out.complete();
  if (!reply.answered() || reply.response.status != 200 || !whole) {
    return Error{ErrorCode::Unavailable, "etcd did not give all of its snapshot: status " +
                                             std::to_string(reply.response.status) + ' ' +
                                             reply.why};
  }
  return out.complete();
}

fs::path EtcdSnapshots::file(std::int64_t wall_ms) const {
  return directory_ / (std::to_string(wall_ms) + std::string(kSuffix));
}

std::vector<std::int64_t> EtcdSnapshots::times() const {
  std::vector<std::int64_t> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory_, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    std::int64_t time = 0;
    const char* end = name.data() + name.size() - kSuffix.size();
    const auto [read, bad] = std::from_chars(name.data(), end, time);
    if (bad == std::errc{} && read == end) out.push_back(time);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::int64_t> EtcdSnapshots::newest() const {
  const auto all = times();
  if (all.empty()) return std::nullopt;
  return all.back();
}

Status EtcdSnapshots::take(HttpClient& http, const CallContext& call, const std::string& origin,
                           std::int64_t wall_ms) const {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  QV_CHECK(save_etcd_snapshot(http, call, origin, file(wall_ms)));
  auto all = times();
  for (std::size_t i = 0; i + kept_ < all.size(); ++i) fs::remove(file(all[i]), failed);
  return Done{};
}

}  // namespace quiver::cluster
