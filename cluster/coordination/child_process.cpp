#include "cluster/coordination/child_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quiver::cluster {
namespace {

constexpr int kCannotRun = 127;

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "exited with " + std::to_string(WEXITSTATUS(status));
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_without(const std::string& hidden) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (hidden.empty() || !text.starts_with(hidden)) out.emplace_back(text);
  }
  return out;
}

/// The child's side of fork(): nothing here may allocate or lock.
[[noreturn]] void become(const char* program, char* const* argv, char* const* env, int output,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have ended before the kernel was asked to tell.
  if (::getppid() != parent) ::_exit(kCannotRun);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execve(program, argv, env);
  ::_exit(kCannotRun);
}

}  // namespace

Result<std::filesystem::path> ChildProcess::find(const std::string& name) {
  const auto runs = [](const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (runs(name)) return std::filesystem::path(name);
    return Error{ErrorCode::FailedPrecondition, name + " is not a program that can be run"};
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const auto candidate = std::filesystem::path(rest.substr(0, end)) / name;
    if (end > 0 && runs(candidate)) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return Error{ErrorCode::FailedPrecondition,
               "the program " + name +
                   " is not in PATH; Debian and Ubuntu have it in the package " + name + "-server"};
}

Result<ChildProcess> ChildProcess::start(const Start& what) {
  std::vector<std::string> words{what.program.string()};
  words.insert(words.end(), what.arguments.begin(), what.arguments.end());
  auto environment = environment_without(what.hidden_environment);
  const auto argv = pointers(words);
  const auto env = pointers(environment);
  const int output =
      ::open(what.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (output < 0) {
    return Error{ErrorCode::Unavailable,
                 "cannot write " + what.output.string() + ": " + std::strerror(errno)};
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(argv.front(), argv.data(), env.data(), output, parent);
  const int failure = errno;
  ::close(output);
  if (pid < 0) {
    return Error{ErrorCode::ResourceExhausted,
                 "cannot start " + what.program.string() + ": " + std::strerror(failure)};
  }
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), how_(std::move(other.how_)) {}

ChildProcess::~ChildProcess() {
  kill();
}

std::optional<std::string> ChildProcess::ended() {
  if (pid_ < 0) return how_;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  how_ = describe(status);
  return how_;
}

void ChildProcess::ask_to_end() const {
  if (pid_ >= 0) ::kill(pid_, SIGTERM);
}

void ChildProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  how_ = describe(status);
}

}  // namespace quiver::cluster
