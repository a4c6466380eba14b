#include "app/doctor.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/data_lock.h"
#include "app/doctor_cluster.h"
#include "app/fd.h"
#include "embedding/minilm/model.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;
/// Below this the next compaction may fail.
constexpr std::uint64_t kSpaceFail = 64 * kMebi;
constexpr std::uint64_t kSpaceWarn = 1024 * kMebi;
constexpr std::chrono::seconds kAskTime{10};

/// The directory itself or the nearest one above it that exists.
fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (!fs::exists(path, ignored) && path.has_parent_path() && path != path.parent_path()) {
    path = path.parent_path();
  }
  return path;
}

std::string_view word(Level level) {
  switch (level) {
    case Level::Ok: return "ok";
    case Level::Warn: return "warn";
    case Level::Fail: break;
  }
  return "fail";
}

}  // namespace

Finding check_data_directory(const fs::path& data_dir) {
  const std::string subject = "data directory";
  const std::string shown = data_dir.string();
  std::error_code problem;
  if (!fs::exists(data_dir, problem)) {
    const fs::path above = nearest_existing(data_dir);
    if (!fs::is_directory(above, problem) || ::access(above.c_str(), W_OK | X_OK) != 0) {
      return {Level::Fail, subject, shown + " is not there and cannot be made in " + above.string(),
              "name a directory that you may write to, with --data or data_dir"};
    }
    return {Level::Ok, subject, shown + " will be made at the first call", ""};
  }
  if (!fs::is_directory(data_dir, problem)) {
    return {Level::Fail, subject, shown + " is not a directory",
            "name another one with --data or data_dir"};
  }
  if (::access(data_dir.c_str(), R_OK | W_OK | X_OK) != 0) {
    return {Level::Fail, subject, shown + " is not writable: " + std::strerror(errno),
            "change its owner or mode, or name another one with --data"};
  }
  const auto others = fs::perms::group_all | fs::perms::others_all;
  if ((fs::status(data_dir, problem).permissions() & others) != fs::perms::none) {
    return {Level::Warn, subject, shown + " can be read by other users",
            "chmod 700 '" + shown + "'"};
  }
  return {Level::Ok, subject, shown, ""};
}

Finding check_free_space(const fs::path& data_dir) {
  const fs::path place = nearest_existing(data_dir);
  struct statvfs disk {};
  if (::statvfs(place.c_str(), &disk) != 0) {
    return {Level::Warn, "free space", place.string() + ": " + std::strerror(errno), ""};
  }
  const std::uint64_t bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  const std::string shown = std::to_string(bytes / kMebi) + " MiB free at " + place.string();
  if (bytes < kSpaceFail) return {Level::Fail, "free space", shown, "free disk space"};
  if (bytes < kSpaceWarn) return {Level::Warn, "free space", shown, "free disk space soon"};
  return {Level::Ok, "free space", shown, ""};
}

Finding check_owner(const fs::path& data_dir) {
  const std::string subject = "owner";
  std::error_code ignored;
  if (!fs::exists(data_dir / "lock", ignored)) return {Level::Ok, subject, "nobody yet", ""};
  auto lock = DataLock::try_acquire(data_dir);
  if (!lock.ok()) return {Level::Fail, subject, lock.error().message, "see above"};
  if (*lock) return {Level::Ok, subject, "no process uses the directory", ""};
  const auto holder = DataLock::read_holder(data_dir);
  return {Level::Ok, subject,
          "process " + std::to_string(holder ? holder->pid : 0) + " owns it; calls go there", ""};
}

Finding check_collections(const fs::path& data_dir, service::Executor& executor) {
  const std::string subject = "collections";
  std::error_code ignored;
  if (!fs::exists(data_dir / "lock", ignored)) return {Level::Ok, subject, "none yet", ""};
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kAskTime;
  const auto reply = executor.invoke(call, "collection_list", {{"limit", 500}});
  if (!reply.ok()) {
    const bool is_stuck = reply.error().code == ErrorCode::DeadlineExceeded ||
                          reply.error().code == ErrorCode::Unavailable;
    return {Level::Fail, subject, reply.error().message,
            is_stuck ? "resume or end the process that owns the data"
                     : "restore a backup, or see the log for what is damaged"};
  }
  const Json collections = reply->value("collections", Json::array());
  std::uint64_t points = 0;
  for (const auto& collection : collections) {
    if (collection.contains("problem")) {
      return {Level::Fail, subject,
              collection.value("name", "?") + ": " + collection.at("problem").dump(),
              "restore this collection from a backup, or delete it"};
    }
    points += collection.value("count", std::uint64_t{0});
  }
  return {Level::Ok, subject,
          std::to_string(collections.size()) + " with " + std::to_string(points) + " points", ""};
}

std::vector<Finding> check_model(const fs::path& model_dir) {
  std::vector<Finding> findings;
  for (const auto& file : embedding::minilm::model_files()) {
    const std::string subject = "model file " + std::string(file.name);
    const auto content = embedding::minilm::read_model_file(model_dir, file);
    if (content.ok()) {
      findings.push_back({Level::Ok, subject, (model_dir / file.name).string(), ""});
    } else {
      findings.push_back({Level::Fail, subject, content.error().message,
                          "install the model with `make setup`, or set embedding.model_dir"});
    }
  }
  return findings;
}

Finding check_processor() {
  const std::string subject = "processor";
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return {Level::Ok, subject, "AVX-512", ""};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {Level::Ok, subject, "AVX2", ""};
  }
#endif
  return {Level::Warn, subject, "neither AVX2 nor AVX-512: embedding takes about six times as long",
          "use a machine, or a virtual machine's CPU model, that has AVX2"};
}

Finding check_port(const std::string& host, std::uint16_t port) {
  const std::string subject = "port";
  const std::string shown = host + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) {
    return {Level::Fail, subject, shown + ": " + ::gai_strerror(failed),
            "set server.host to an address of this machine"};
  }
  const Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool is_free = ::bind(socket.get(), found->ai_addr, found->ai_addrlen) == 0 &&
                       ::listen(socket.get(), 1) == 0;
  const int problem = errno;
  ::freeaddrinfo(found);
  if (is_free) return {Level::Ok, subject, shown + " is free", ""};
  if (problem == EADDRINUSE) {
    return {Level::Warn, subject, shown + " is in use; fine if that is `quiver serve`",
            "end the program that has it, or set server.port to another one"};
  }
  return {Level::Fail, subject, shown + ": " + std::strerror(problem),
          "set server.host and server.port to what this machine allows"};
}

std::vector<Finding> diagnose(const Options& options, const fs::path& program_dir,
                              service::Executor& executor) {
  std::vector<Finding> findings{check_data_directory(options.data_dir)};
  const bool is_usable = findings.front().level != Level::Fail;
  findings.push_back(check_free_space(options.data_dir));
  if (is_usable) {
    findings.push_back(check_owner(options.data_dir));
    findings.push_back(check_collections(options.data_dir, executor));
  }
  const fs::path model_dir = options.embedding.model_dir.empty()
                                 ? program_dir / "models" / "minilm"
                                 : fs::path(options.embedding.model_dir);
  for (auto& finding : check_model(model_dir)) findings.push_back(std::move(finding));
  findings.push_back(check_processor());
  findings.push_back(check_port(options.server.host, options.server.port));
  for (auto& finding : check_cluster(options.cluster)) findings.push_back(std::move(finding));
  return findings;
}

std::string to_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& finding : findings) {
    std::string level(word(finding.level));
    level.resize(6, ' ');
    out += level + finding.subject + ": " + finding.message + "\n";
    if (!finding.remedy.empty()) out += "      do: " + finding.remedy + "\n";
  }
  return out;
}

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const auto& finding : findings) {
    list.push_back({{"level", word(finding.level)},
                    {"subject", finding.subject},
                    {"message", finding.message},
                    {"remedy", finding.remedy}});
  }
  return {{"ok", !has_failure(findings)}, {"findings", list}};
}

bool has_failure(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.level == Level::Fail; });
}

}  // namespace quiver::app
