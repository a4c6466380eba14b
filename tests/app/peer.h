#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"

namespace quiver::app {

/// Waits for `condition`; false if it does not come true in time.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = std::chrono::milliseconds(20'000)) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A child process with pipes to its stdin and stdout; killed at the end if it still runs.
class Child {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const std::vector<std::string>& environment = {}) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::vector<std::string> words{program.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = environment;
    for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
    std::vector<char*> envp;
    for (auto& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    const int failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
    if (failed != 0) throw std::runtime_error("cannot start " + program.string());
  }
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    close_stdin();
    ::close(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// Returns once a SIGSTOP has stopped all of its threads: until then they may still answer.
  void signal(int number) const {
    ::kill(pid_, number);
    int status = 0;
    if (number == SIGSTOP) (void)::waitpid(pid_, &status, WUNTRACED);
  }

  void send_line(const std::string& line) const {
    const std::string text = line + "\n";
    for (std::size_t sent = 0; sent < text.size();) {
      const auto count = ::write(in_, text.data() + sent, text.size() - sent);
      if (count <= 0) throw std::runtime_error("child does not read");
      sent += static_cast<std::size_t>(count);
    }
  }

  /// The next line of its stdout; throws at the end or after 20 s.
  std::string read_line() {
    while (true) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        const std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (!read_more()) throw std::runtime_error("child ended: " + buffer_);
    }
  }

  /// All that is left of its stdout.
  std::string read_all() {
    while (read_more()) {
    }
    return std::exchange(buffer_, "");
  }

  void close_stdin() {
    if (in_ >= 0) ::close(in_);
    in_ = -1;
  }

  /// Its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) throw std::runtime_error("waitpid");
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  bool read_more() {
    pollfd entry{out_, POLLIN, 0};
    if (::poll(&entry, 1, 20'000) <= 0) throw std::runtime_error("child says nothing");
    std::array<char, 65536> bytes{};
    const auto count = ::read(out_, bytes.data(), bytes.size());
    if (count <= 0) return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffer_;
};

/// A process of peer_main.cpp.
class Peer : public Child {
 public:
  Peer(const std::filesystem::path& data, const std::filesystem::path& engine,
       int silence_ms = 15'000)
      : Child(std::filesystem::path(QV_BINARY_DIR) / "tests/app/app_peer",
              {data.string(), engine.string(), std::to_string(silence_ms)}),
        role_(read_line()) {}

  const std::string& role() const noexcept { return role_; }

  void ask(const std::string& operation, const Json& arguments = Json::object(),
           int timeout_ms = 0) const {
    Json request{{"operation", operation}, {"arguments", arguments}};
    if (timeout_ms > 0) request["timeout_ms"] = timeout_ms;
    send_line(request.dump());
  }
  Json answer() { return Json::parse(read_line()); }
  Json call(const std::string& operation, const Json& arguments = Json::object(),
            int timeout_ms = 0) {
    ask(operation, arguments, timeout_ms);
    return answer();
  }

 private:
  std::string role_;
};

}  // namespace quiver::app
