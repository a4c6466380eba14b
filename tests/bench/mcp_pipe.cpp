#include "tests/bench/mcp_pipe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

/// A message that answers nothing. Its method stands in front, behind "jsonrpc" at most.
bool is_notification(std::string_view line) {
  constexpr std::size_t kHead = 64;
  return line.substr(0, kHead).find(R"("method":"notifications/)") != std::string_view::npos;
}

}  // namespace

McpPipe::McpPipe(const std::string& binary, const std::string& data)
    : McpPipe({{binary, "mcp"}, settings_of(data)}) {}

McpPipe::McpPipe(const Launch& launch) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  must(::pipe2(in.data(), O_CLOEXEC) == 0 && ::pipe2(out.data(), O_CLOEXEC) == 0, "pipe");
  to_ = in[1];
  from_ = out[0];
  pid_ = spawn(launch, {in[0], out[1], -1});
  ::close(in[0]);
  ::close(out[1]);
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
  for (;;) {
    const auto line = next_line();
    if (!is_notification(line)) return line;
  }
}

std::string_view McpPipe::next_line() {
  // What came behind the last line; the buffer itself stays as large as it has become.
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= std::exchange(begin_, 0);
  std::size_t searched = 0;
  for (;;) {
    const std::string_view unread(buffer_.data(), end_);
    const auto newline = unread.find('\n', searched);
    if (newline != std::string_view::npos) {
      begin_ = newline + 1;
      return unread.substr(0, newline);
    }
    searched = end_;
    if (buffer_.size() < end_ + kReadBytes) buffer_.resize(2 * end_ + kReadBytes);
    const auto got = ::read(from_, buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    must(got >= 0, "read from the server");
    if (got == 0) throw std::runtime_error("the server has ended");
    end_ += static_cast<std::size_t>(got);
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
  return status_of(pid_, field) / 1024;
}

double McpPipe::close() {
  const double start = now_s();
  ::close(to_);
  to_ = -1;
  const int status = wait_for(std::exchange(pid_, -1));
  if (status != 0)
    throw std::runtime_error("the server ended with status " + std::to_string(status));
  return now_s() - start;
}

void McpPipe::kill() {
  ::kill(pid_, SIGKILL);
  if (to_ >= 0) ::close(to_);
  to_ = -1;
  wait_for(std::exchange(pid_, -1));
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
