// Measures calls over HTTP, alone and beside streams that are held open and idle.
//
// Usage: bench_http streams BINARY DATA SETUP OPENING CALL [STREAMS [CALLS_PER_S [SECONDS]]]
//        bench_http serve --port 0
// SETUP, OPENING and CALL are requests: method and target, headers, and after an empty line a body.
// OPENING opens a stream. SETUP comes before each OPENING, and its reply's Mcp-Session-Id takes the
// place of {session} in OPENING; empty: nothing comes before. CALL is answered whole.
// `serve` is a listener and nothing more: GET opens a stream, POST gives back its body. With this
// program as BINARY the figures are those of the listener alone.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/resource.h>

#include "app/http_listener.h"
#include "tests/bench/dataset.h"
#include "tests/bench/http_peer.h"

namespace quiver::bench {
namespace {

using Words = std::vector<std::string>;

struct Load {
  std::size_t streams = 2000;
  double calls_per_s = 200;
  double seconds = 5;
};

struct Latency {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};

Latency latency_of(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  return {at(0.5), at(0.99), times.back()};
}

/// Calls in turns over four kept connections, each at its time, whatever became of the one before.
Latency call(std::uint16_t port, const std::string& request, const Load& load) {
  constexpr std::size_t kConnections = 4;
  std::vector<HttpClient> clients;
  for (std::size_t i = 0; i < kConnections; ++i) clients.emplace_back(port);
  std::vector<double> times;
  const auto count = static_cast<std::size_t>(load.calls_per_s * load.seconds);
  const double start = now_s();
  for (std::size_t i = 0; i < count; ++i) {
    const double due = start + static_cast<double>(i) / load.calls_per_s;
    const double early = due - now_s();
    if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
    // A sleep that lasted too long is the machine's doing; a call before it that did is not.
    const double begin = early > 0 ? now_s() : due;
    HttpClient& client = clients[i % kConnections];
    client.send(request);
    client.receive();
    times.push_back((now_s() - begin) * 1e3);
  }
  return latency_of(std::move(times));
}

std::string session_of(const std::string& head) {
  constexpr std::string_view kName = "\r\nmcp-session-id: ";
  const auto at = head.find(kName);
  if (at == std::string::npos) return {};
  const auto begin = at + kName.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::vector<HttpClient> open_streams(std::uint16_t port, const std::string& setup,
                                     const std::string& opening, std::size_t count) {
  constexpr std::string_view kSession = "{session}";
  std::vector<HttpClient> streams;
  for (std::size_t i = 0; i < count; ++i) {
    HttpClient client(port);
    std::string request = opening;
    if (!setup.empty()) {
      client.send(render_request(setup));
      const std::string session = session_of(client.receive());
      const auto at = request.find(kSession);
      if (at != std::string::npos) request.replace(at, kSession.size(), session);
    }
    client.send(render_request(request));
    client.receive_head();
    streams.push_back(std::move(client));
  }
  return streams;
}

void print(const HttpServer& server, std::size_t streams, const Latency& latency) {
  std::printf(
      "  %5zu streams: %3.0f threads, %6.1f MiB   calls p50 %6.3f  p99 %6.3f  max %6.3f ms\n",
      streams, server.status("Threads"), server.status("VmRSS") / 1024, latency.p50, latency.p99,
      latency.max);
  std::fflush(stdout);
}

void measure_streams(const Words& words) {
  Load load;
  if (words.size() > 7) load.streams = std::stoul(words[7]);
  if (words.size() > 8) load.calls_per_s = std::stod(words[8]);
  if (words.size() > 9) load.seconds = std::stod(words[9]);
  const HttpServer server(words[2], words[3]);
  const std::string request = render_request(words[6]);
  std::vector<double> alone;
  std::vector<double> beside;
  for (int round = 0; round < 3; ++round) {
    // The first calls do not count, nor those while the server takes leave of streams.
    call(server.port(), request, {0, load.calls_per_s, 1});
    const Latency without = call(server.port(), request, load);
    print(server, 0, without);
    const double start = now_s();
    auto streams = open_streams(server.port(), words[4], words[5], load.streams);
    const double opened = now_s() - start;
    const Latency with = call(server.port(), request, load);
    print(server, load.streams, with);
    const auto standing = std::count_if(streams.begin(), streams.end(),
                                        [](HttpClient& stream) { return stream.stands(); });
    if (static_cast<std::size_t>(standing) != load.streams) {
      throw std::runtime_error("streams that still stood: " + std::to_string(standing));
    }
    std::printf("  opened in %.2f s; all stood to the end\n", opened);
    alone.push_back(without.p99);
    beside.push_back(with.p99);
  }
  std::printf("  p99 with streams to p99 without: %.2f : 1\n", median(beside) / median(alone));
}

/// Until SIGTERM.
void serve() {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::mutex mutex;
  std::set<std::shared_ptr<HttpStream>> streams;
  app::HttpListenerOptions options;
  options.port = 0;
  auto listener = app::HttpListener::start(
      options, [&](HttpRequest request, const std::shared_ptr<HttpResponder>& responder) {
        if (request.method == "POST") {
          return responder->respond({200, {{"content-type", "application/json"}}, request.body});
        }
        auto stream = responder->stream({200, {{"content-type", "text/event-stream"}}, ""});
        {
          const std::lock_guard lock(mutex);
          streams.insert(stream);
        }
        responder->on_gone([&, stream] {
          const std::lock_guard held(mutex);
          streams.erase(stream);
        });
      });
  if (!listener.ok()) throw std::runtime_error(listener.error().message);
  std::cerr << "http://127.0.0.1:" << (*listener)->port() << "/\n";
  int signal = 0;
  ::sigwait(&ends, &signal);
  (*listener)->stop([&] {
    const std::lock_guard lock(mutex);
    for (const auto& stream : streams) stream->end();
  });
}

int run(const Words& words) {
  // This side of the streams takes descriptors too.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (words.size() >= 7 && words[1] == "streams") {
    measure_streams(words);
  } else if (words.size() >= 2 && words[1] == "serve") {
    serve();
  } else {
    throw std::runtime_error("usage stands at the top of tests/bench/bench_http.cpp");
  }
  return 0;
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  try {
    return quiver::bench::run({words, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "bench_http: " << problem.what() << "\n";
    return 1;
  }
}
