#include "tests/bench/mcp_pipe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

/// The environment without anybody's Quiver settings but where the model is.
std::vector<std::string> environment_for(const std::string& data) {
  std::vector<std::string> out{"QV_DATA_DIR=" + data, "QV_LOG_LEVEL=warn"};
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

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

McpPipe::McpPipe(const std::string& binary, const std::string& data) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  must(::pipe2(in.data(), O_CLOEXEC) == 0 && ::pipe2(out.data(), O_CLOEXEC) == 0, "pipe");
  to_ = in[1];
  from_ = out[0];
  posix_spawn_file_actions_t actions;
  must(::posix_spawn_file_actions_init(&actions) == 0, "spawn");
  ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<std::string> arguments{binary, "mcp"};
  auto environment = environment_for(data);
  const int problem = ::posix_spawn(&pid_, binary.c_str(), &actions, nullptr,
                                    pointers(arguments).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  if (problem != 0) throw std::runtime_error(binary + ": " + std::strerror(problem));
  ::signal(SIGPIPE, SIG_IGN);
}

McpPipe::~McpPipe() {
  if (pid_ > 0) kill();
  ::close(from_);
}

void McpPipe::initialize() {
  send(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
       R"("capabilities":{},"clientInfo":{"name":"bench","version":"1"}}})"
       "\n");
  if (receive().find("\"protocolVersion\"") == std::string_view::npos) {
    throw std::runtime_error("initialize was not answered");
  }
  send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
}

void McpPipe::discover() {
  send(R"({"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{)"
       R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
       R"("io.modelcontextprotocol/clientCapabilities":{}}}})"
       "\n");
  if (receive().find("\"supportedVersions\"") == std::string_view::npos) {
    throw std::runtime_error("server/discover was not answered");
  }
}

void McpPipe::send(std::string_view line) {
  while (!line.empty()) {
    const auto written = ::write(to_, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    must(written > 0, "write to the server");
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string_view McpPipe::receive() {
  buffer_.erase(0, read_);
  std::size_t searched = 0;
  for (;;) {
    const auto end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      read_ = end + 1;
      return std::string_view(buffer_).substr(0, end);
    }
    searched = buffer_.size();
    buffer_.resize(searched + kReadBytes);
    const auto got = ::read(from_, buffer_.data() + searched, kReadBytes);
    buffer_.resize(searched + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && errno == EINTR) continue;
    must(got >= 0, "read from the server");
    if (got == 0) throw std::runtime_error("the server has ended");
  }
}

std::string McpPipe::render(const std::string& tool, const std::string& arguments, std::size_t id) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
         R"(,"method":"tools/call","params":{"name":")" + tool + R"(","arguments":)" + arguments +
         "}}\n";
}

Json McpPipe::call(const std::string& tool, const Json& arguments) {
  send(render(tool, arguments.dump(), next_id_++));
  const Json reply = Json::parse(receive());
  const Json& result = reply.contains("result") ? reply["result"] : reply;
  if (!result.contains("structuredContent")) throw std::runtime_error(tool + ": " + result.dump());
  return result["structuredContent"];
}

double McpPipe::memory_mib(const std::string& field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1)) / 1024;
  }
  throw std::runtime_error("no " + field + " of the server");
}

int McpPipe::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

double McpPipe::close() {
  const double start = now_s();
  ::close(to_);
  to_ = -1;
  const int status = wait();
  if (status != 0)
    throw std::runtime_error("the server ended with status " + std::to_string(status));
  return now_s() - start;
}

void McpPipe::kill() {
  ::kill(pid_, SIGKILL);
  if (to_ >= 0) ::close(to_);
  to_ = -1;
  wait();
}

std::size_t parse_hit_ids(std::string_view reply, std::vector<std::int32_t>& out) {
  constexpr std::string_view kContent = "\"structuredContent\":";
  constexpr std::string_view kId = "\"id\":";
  out.clear();
  std::size_t at = reply.find(kContent);
  if (at == std::string_view::npos) throw std::runtime_error("no hits: " + std::string(reply));
  // The copy in "content" is text, where quotes are escaped, so that "id": is found here only.
  // The metadata of the bench holds no array, so that this one ends the hits.
  const auto end = std::min(reply.size(), reply.find(']', at));
  for (at = reply.find(kId, at); at < end; at = reply.find(kId, at)) {
    at += kId.size();
    std::int32_t id = 0;
    const auto [stop, problem] = std::from_chars(reply.data() + at, reply.data() + end, id);
    if (problem != std::errc() || stop == reply.data() + at) break;
    out.push_back(id);
  }
  return out.size();
}

std::string packed(const float* vector, std::size_t dim) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned char> bytes(dim * sizeof(float));
  std::memcpy(bytes.data(), vector, bytes.size());
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const unsigned group = unsigned{bytes[i]} << 16U |
                           (left > 1 ? unsigned{bytes[i + 1]} << 8U : 0U) |
                           (left > 2 ? unsigned{bytes[i + 2]} : 0U);
    out += kDigits[group >> 18U & 63U];
    out += kDigits[group >> 12U & 63U];
    out += left > 1 ? kDigits[group >> 6U & 63U] : '=';
    out += left > 2 ? kDigits[group & 63U] : '=';
  }
  return out;
}

}  // namespace quiver::bench
