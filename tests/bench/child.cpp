#include "tests/bench/child.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace quiver::bench {
namespace {

std::vector<std::string> environment_for(const Launch& launch) {
  std::vector<std::string> out = launch.settings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.rfind("QV_", 0) != 0 || text.rfind("QV_EMBEDDING_", 0) == 0) out.emplace_back(text);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

void must(bool done, const std::string& what) {
  if (!done) throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::vector<std::string> settings_of(const std::string& data) {
  return {"QV_DATA_DIR=" + data, "QV_LOG_LEVEL=warn"};
}

pid_t spawn(const Launch& launch, const Streams& streams) {
  constexpr const char* kNothing = "/dev/null";
  posix_spawn_file_actions_t actions;
  must(::posix_spawn_file_actions_init(&actions) == 0, "spawn");
  const std::array<int, 3> wanted{streams.in, streams.out, streams.err};
  for (int stream = 0; stream < 3; ++stream) {
    const int given = wanted[static_cast<std::size_t>(stream)];
    if (given >= 0) {
      ::posix_spawn_file_actions_adddup2(&actions, given, stream);
    } else if (stream < 2 || launch.quiet) {
      ::posix_spawn_file_actions_addopen(&actions, stream, kNothing, O_RDWR, 0);
    }
  }
  std::vector<std::string> words = launch.words;
  auto environment = environment_for(launch);
  pid_t pid = -1;
  const int problem = ::posix_spawn(&pid, words.front().c_str(), &actions, nullptr,
                                    pointers(words).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) throw std::runtime_error(words.front() + ": " + std::strerror(problem));
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) must(errno == EINTR, "waitpid");
  return status;
}

double status_of(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1));
  }
  throw std::runtime_error("no " + field + " of the server");
}

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  must(::clock_getcpuclockid(pid, &clock) == 0 && ::clock_gettime(clock, &time) == 0,
       "the server's processor time");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace quiver::bench
