// Bytes -> the listener, over a socket pair, in pieces whose size the first byte says. The handler
// replies in every way there is, by the second letter of the target. Whatever comes in, what comes
// out is a sequence of HTTP responses, each as long as it says, and then an end.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/http_listener.h"
#include "app/lanes.h"

namespace {

using quiver::HttpRequest;
using quiver::HttpResponder;
using quiver::HttpResponse;
using quiver::app::HttpListener;
using quiver::app::HttpListenerOptions;
using quiver::app::Lane;

constexpr std::size_t kBodyBytesMax = 4096;

/// Stops the fuzzer where something does not hold.
void require(bool holds) {
  if (!holds) std::abort();
}

void check_request(const HttpRequest& request) {
  require(!request.method.empty() && request.body.size() <= kBodyBytesMax);
  for (const auto& [name, value] : request.headers) {
    require(!name.empty() && value.find('\n') == std::string::npos);
    require(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ: \r\n") == std::string::npos);
  }
}

/// What the one connection asked for, in order: a response alone does not tell whether it has a
/// body.
class Methods {
 public:
  void add(const std::string& method) {
    const std::lock_guard lock(mutex_);
    methods_.push_back(method);
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(methods_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> methods_;
};

/// Marks what the reader of the responses cannot know: that there is no good end.
HttpResponse response_to(const HttpRequest& request, const char* mark = "none") {
  return {200, {{"x-mark", mark}}, request.body};
}

void reply(Lane& lane, const HttpRequest& request,
           const std::shared_ptr<HttpResponder>& responder) {
  responder->on_gone([] {});
  switch (request.target.size() < 2 ? '\0' : request.target[1]) {
    case 's': {
      const auto stream = responder->stream(response_to(request));
      for (int i = 0; i < 3; ++i) stream->write(request.target);
      return stream->end();
    }
    case 'b': responder->stream(response_to(request, "broken"))->write("half"); return;
    case 'd': return;
    case 't': throw std::runtime_error("thrown by the fuzzer");
    case 'l': {
      const bool taken =
          lane.submit([request, responder] { responder->respond(response_to(request)); }).ok();
      return require(taken);
    }
    default: return responder->respond(response_to(request));
  }
}

struct Site {
  Lane lane{{"late", 1, 4096}};
  Methods methods;
  std::unique_ptr<HttpListener> listener;

  Site() {
    spdlog::set_level(spdlog::level::off);
    HttpListenerOptions options;
    options.port = 0;
    options.header_bytes_max = 1024;
    options.body_bytes_max = kBodyBytesMax;
    options.bodies_bytes_max = 2 * kBodyBytesMax;
    auto started = HttpListener::start(options, [this](const HttpRequest& request, auto responder) {
      check_request(request);
      methods.add(request.method);
      reply(lane, request, responder);
    });
    require(started.ok());
    listener = *std::move(started);
  }
};

/// Sends all of it, in pieces, and reads all that comes back.
std::string exchange(int socket, std::string_view bytes, std::size_t piece) {
  std::string received;
  std::array<char, 4096> part{};
  bool sending = true;
  for (;;) {
    pollfd ready{socket, static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0};
    const int count = ::poll(&ready, 1, 20'000);
    // libFuzzer's own alarm, which goes off every ten minutes.
    if (count < 0 && errno == EINTR) continue;
    // A server that neither reads nor ends has hung.
    require(count == 1);
    if (sending && (ready.revents & POLLOUT) != 0) {
      const auto sent = ::send(socket, bytes.data(), std::min(piece, bytes.size()), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      sending = sent >= 0 && !bytes.empty();
      if (!sending) ::shutdown(socket, SHUT_WR);
    }
    if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const auto got = ::recv(socket, part.data(), part.size(), MSG_DONTWAIT);
    if (got <= 0) return received;
    received.append(part.data(), static_cast<std::size_t>(got));
  }
}

std::string header(std::string_view head, std::string_view name) {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const auto at = head.find(line);
  if (at == std::string_view::npos) return {};
  const auto begin = at + line.size();
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

/// Takes a body in chunks off the front; false if it is not whole.
bool take_chunks(std::string_view& text) {
  for (;;) {
    const auto line = text.find("\r\n");
    if (line == std::string_view::npos) return false;
    const std::string digits(text.substr(0, line));
    require(!digits.empty() && digits.find_first_not_of("0123456789abcdef") == std::string::npos);
    const std::size_t bytes = std::stoul(digits, nullptr, 16);
    if (text.size() < line + 2 + bytes + 2) return false;
    require(text.substr(line + 2 + bytes, 2) == "\r\n");
    text.remove_prefix(line + 2 + bytes + 2);
    if (bytes == 0) return true;
  }
}

/// `asked` has the methods of the requests that were handed over; a response behind theirs refuses
/// what was no request, and is the last.
void check_responses(std::string_view text, const std::vector<std::string>& asked) {
  std::size_t answered = 0;
  while (!text.empty()) {
    require(text.rfind("HTTP/1.1 ", 0) == 0);
    const auto end = text.find("\r\n\r\n");
    require(end != std::string_view::npos);
    const std::string_view head = text.substr(0, end + 2);
    text.remove_prefix(end + 4);
    if (head.substr(9, 3) == "100") continue;
    const std::string length = header(head, "Content-Length");
    const bool chunked = header(head, "Transfer-Encoding") == "chunked";
    const bool closes = header(head, "Connection") == "close";
    const bool broken = header(head, "x-mark") == "broken";
    require(length.empty() || !chunked);
    const bool refuses = answered == asked.size();
    const std::string method = refuses ? "" : asked[answered++];
    if (refuses) require(closes);
    if (method == "HEAD" || (refuses && text.empty())) {
      require(!closes || text.empty());
      continue;
    }
    if (chunked) {
      const bool whole = take_chunks(text);
      if (!whole) return require(broken);
    } else if (length.empty()) {
      require(closes);
      return;
    } else {
      require(text.size() >= std::stoul(length));
      text.remove_prefix(std::stoul(length));
    }
    require(!closes || text.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Site site;
  if (size == 0) return 0;
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  require(site.listener->adopt(ends[1]).ok());
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = data[0] == 0 ? size : data[0];
  const std::string received = exchange(ends[0], bytes, piece);
  check_responses(received, site.methods.take());
  ::close(ends[0]);
  return 0;
}
