// Measures trivial tool calls, one after the other, over stdio and over kept HTTP connections.
//
// Usage: bench_calls compare QUIVER NODE EVERYTHING DATA [ROUNDS [SECONDS]]
//        bench_calls memory QUIVER DATA [CALLS]
// EVERYTHING is dist/index.js of @modelcontextprotocol/server-everything. `compare` takes turns
// between the servers, with one client for all; `memory` shows the server's memory on the way to
// CALLS calls over each transport.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/dataset.h"
#include "tests/bench/http_peer.h"
#include "tests/bench/mcp_pipe.h"

namespace quiver::bench {
namespace {

using Words = std::vector<std::string>;

/// A tool, its arguments as JSON, and what a right reply has in it.
struct Trivial {
  std::string tool;
  std::string arguments;
  std::string proof;
};

const Trivial kEcho{"echo", R"({"message":"hello"})", "Echo: hello"};
/// What gives back what it gets: no call over a pipe takes less.
const Trivial kNothing{"nothing", "{}", "\"id\":"};
const Trivial kList{"collection_list", "{}", R"("structuredContent":{"collections":[)"};

constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
    R"("capabilities":{},"clientInfo":{"name":"bench","version":"1"}}})";
constexpr const char* kInitialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
constexpr const char* kModernMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
    R"("io.modelcontextprotocol/clientCapabilities":{}},)";

/// A request in which the id changes in place: ids are used once, and have equally many digits.
class Numbered {
 public:
  /// `text` has kFirst in it once.
  explicit Numbered(std::string text) : text_(std::move(text)), at_(text_.find(kFirst)) {}

  const std::string& next() {
    for (std::size_t digit = at_ + kFirst.size(); ++text_[--digit] > '9';) text_[digit] = '0';
    return text_;
  }

  static constexpr std::string_view kFirst = "1000000000";

 private:
  std::string text_;
  const std::size_t at_;
};

std::string call_text(const Trivial& what, std::string_view meta = "") {
  return R"({"jsonrpc":"2.0","id":)" + std::string(Numbered::kFirst) +
         R"(,"method":"tools/call","params":{)" + std::string(meta) + R"("name":")" + what.tool +
         R"(","arguments":)" + what.arguments + "}}";
}

/// A server, and one client of it.
class Peer {
 public:
  virtual ~Peer() = default;
  /// Throws unless it is answered as it should be.
  virtual void call() = 0;
  virtual pid_t pid() const = 0;

 protected:
  static void check(std::string_view reply, const std::string& proof) {
    if (reply.find(proof) == std::string_view::npos) {
      throw std::runtime_error("a wrong reply: " + std::string(reply));
    }
  }
};

class StdioPeer final : public Peer {
 public:
  StdioPeer(const Launch& launch, const Trivial& what)
      : pipe_(launch), request_(call_text(what) + "\n"), proof_(what.proof) {
    pipe_.initialize();
  }
  /// Passes over notifications.
  void call() override {
    pipe_.send(request_.next());
    std::string_view line = pipe_.receive();
    while (line.find("\"id\":") == std::string_view::npos) line = pipe_.receive();
    check(line, proof_);
  }
  pid_t pid() const override { return pipe_.pid(); }

 private:
  McpPipe pipe_;
  Numbered request_;
  const std::string proof_;
};

constexpr const char* kPost =
    "POST /mcp\nContent-Type: application/json\nAccept: application/json, text/event-stream";

/// A session of 2025-11-25, or none: calls of 2026-07-28.
class HttpPeer final : public Peer {
 public:
  enum class Era { Session, Stateless };

  HttpPeer(HttpServer server, const Trivial& what, Era era = Era::Session)
      : server_(std::move(server)),
        client_(server_.port()),
        request_(render_request(era == Era::Session ? begin_session() + "\n\n" + call_text(what)
                                                    : stateless(what))),
        proof_(what.proof) {}
  void call() override {
    client_.send(request_.next());
    client_.receive();
    check(client_.body(), proof_);
  }
  pid_t pid() const override { return server_.pid(); }

 private:
  /// Headers of requests in a session that has begun.
  std::string begin_session() {
    constexpr std::string_view kName = "\r\nmcp-session-id: ";
    client_.send(render_request(std::string(kPost) + "\n\n" + kInitialize));
    const std::string head = client_.receive();
    const auto at = head.find(kName);
    if (at == std::string::npos) throw std::runtime_error("no session: " + head);
    const auto id = at + kName.size();
    const std::string headers = std::string(kPost) +
                                "\nMCP-Protocol-Version: 2025-11-25\nMcp-Session-Id: " +
                                head.substr(id, head.find("\r\n", id) - id);
    client_.send(render_request(headers + "\n\n" + kInitialized));
    client_.receive();
    return headers;
  }
  static std::string stateless(const Trivial& what) {
    return std::string(kPost) +
           "\nMCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: " + what.tool +
           "\n\n" + call_text(what, kModernMeta);
  }

  HttpServer server_;
  HttpClient client_;
  Numbered request_;
  const std::string proof_;
};

struct Sample {
  double calls_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
  /// Processor time of the server for one call.
  double cpu_us = 0;
};

Sample measure(Peer& peer, double seconds) {
  std::vector<double> times;
  const double cpu = cpu_seconds(peer.pid());
  const double start = now_s();
  double now = start;
  while (now - start < seconds) {
    peer.call();
    const double then = std::exchange(now, now_s());
    times.push_back((now - then) * 1e6);
  }
  const auto count = static_cast<double>(times.size());
  Sample sample{count / (now - start), 0, 0, (cpu_seconds(peer.pid()) - cpu) * 1e6 / count};
  std::sort(times.begin(), times.end());
  sample.p50_us = times[times.size() / 2];
  sample.p99_us = times[times.size() * 99 / 100];
  return sample;
}

/// One of the servers that take turns.
struct Entry {
  std::string name;
  std::unique_ptr<Peer> peer;
  std::vector<Sample> samples = {};
};

std::vector<double> column(const std::vector<Sample>& samples, double Sample::*field) {
  std::vector<double> out;
  for (const Sample& sample : samples) out.push_back(sample.*field);
  std::sort(out.begin(), out.end());
  return out;
}

/// The last entry is the one that the others are compared with, round by round.
void compare(std::vector<Entry> entries, std::size_t rounds, double seconds) {
  for (auto& entry : entries) measure(*entry.peer, std::min(seconds, 0.5));
  for (std::size_t round = 0; round < rounds; ++round) {
    for (auto& entry : entries) entry.samples.push_back(measure(*entry.peer, seconds));
  }
  for (const Entry& entry : entries) {
    const auto rate = column(entry.samples, &Sample::calls_per_s);
    const auto p50 = column(entry.samples, &Sample::p50_us);
    std::printf(
        "  %-23s %6.0f calls/s (%.0f to %.0f)  p50 %6.1f us (%.1f to %.1f)  p99 %7.1f us"
        "  CPU %6.1f us a call\n",
        entry.name.c_str(), median(rate), rate.front(), rate.back(), median(p50), p50.front(),
        p50.back(), median(column(entry.samples, &Sample::p99_us)),
        median(column(entry.samples, &Sample::cpu_us)));
  }
  const auto& base = entries.back().samples;
  for (std::size_t i = 0; i + 1 < entries.size(); ++i) {
    std::vector<double> rates;
    std::vector<double> costs;
    for (std::size_t round = 0; round < rounds; ++round) {
      const Sample& ours = entries[i].samples[round];
      rates.push_back(ours.calls_per_s / base[round].calls_per_s);
      costs.push_back(base[round].cpu_us / ours.cpu_us);
    }
    std::sort(rates.begin(), rates.end());
    std::printf("  %s: %.1f times the calls/s of %s (%.1f to %.1f), CPU 1 : %.1f\n",
                entries[i].name.c_str(), median(rates), entries.back().name.c_str(), rates.front(),
                rates.back(), median(costs));
  }
  std::fflush(stdout);
}

void compare(const Words& words) {
  const std::string& data = words[5];
  const std::size_t rounds = words.size() > 6 ? std::stoul(words[6]) : 7;
  const double seconds = words.size() > 7 ? std::stod(words[7]) : 1;
  const auto settings = settings_of(data);
  std::vector<Entry> entries;
  const auto add = [&](const char* name, std::unique_ptr<Peer> peer) {
    entries.push_back({name, std::move(peer)});
  };
  std::printf("  over stdio, %zu rounds of %.1f s each:\n", rounds, seconds);
  add("quiver collection_list",
      std::make_unique<StdioPeer>(Launch{{words[2], "mcp"}, settings}, kList));
  add("no server: cat", std::make_unique<StdioPeer>(Launch{{"/bin/cat"}, {}}, kNothing));
  add("server-everything echo",
      std::make_unique<StdioPeer>(Launch{{words[3], words[4], "stdio"}, {}, true}, kEcho));
  compare(std::exchange(entries, {}), rounds, seconds);
  std::printf("  over a kept HTTP connection, in a session of 2025-11-25:\n");
  add("quiver collection_list", std::make_unique<HttpPeer>(HttpServer(words[2], data), kList));
  add("server-everything echo",
      std::make_unique<HttpPeer>(
          HttpServer::on_free_port({{words[3], words[4], "streamableHttp"}, {}, true}), kEcho));
  compare(std::exchange(entries, {}), rounds, seconds);
}

void watch_memory(const char* name, Peer& peer, std::size_t calls) {
  const std::vector<std::size_t> marks{calls / 100, calls / 10, calls / 2, calls};
  std::printf("  %-28s MiB after", name);
  std::vector<double> sizes;
  const double start = now_s();
  std::size_t done = 0;
  for (const std::size_t mark : marks) {
    for (; done < mark; ++done) peer.call();
    sizes.push_back(status_of(peer.pid(), "VmRSS") / 1024);
    std::printf("  %zu: %.2f", mark, sizes.back());
    std::fflush(stdout);
  }
  std::printf("  growth since the first %+.2f, at %.0f calls/s\n", sizes.back() - sizes.front(),
              static_cast<double>(calls) / (now_s() - start));
  std::fflush(stdout);
}

void watch_memory(const Words& words) {
  const std::size_t calls = words.size() > 4 ? std::stoul(words[4]) : 1'000'000;
  {
    StdioPeer peer({{words[2], "mcp"}, settings_of(words[3])}, kList);
    watch_memory("stdio", peer, calls);
  }
  {
    HttpPeer peer(HttpServer(words[2], words[3]), kList);
    watch_memory("HTTP, a session", peer, calls);
  }
  HttpPeer peer(HttpServer(words[2], words[3]), kList, HttpPeer::Era::Stateless);
  watch_memory("HTTP, stateless", peer, calls);
}

void run(const Words& words) {
  if (words.size() >= 6 && words[1] == "compare") return compare(words);
  if (words.size() >= 4 && words[1] == "memory") return watch_memory(words);
  throw std::runtime_error("usage stands at the top of tests/bench/bench_calls.cpp");
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  try {
    quiver::bench::run({words, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "bench_calls: " << problem.what() << "\n";
    return 1;
  }
  return 0;
}
