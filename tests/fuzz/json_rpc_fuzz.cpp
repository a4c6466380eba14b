// Bytes -> messages -> replies, over both ways in. The first byte chooses: a conversation on a
// stream, one message a line, or an HTTP request whose headers come from that byte. Whatever comes
// in, each reply is one line of JSON-RPC under an id that was asked with, or under null.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mcp/connection.h"
#include "mcp/http_endpoint.h"
#include "mcp/product_offer.h"

namespace {

using quiver::CallContext;
using quiver::Done;
using quiver::Json;
using quiver::Result;
using quiver::Status;
namespace mcp = quiver::mcp;
namespace service = quiver::service;

/// Stops the fuzzer where something does not hold.
void require(bool holds) {
  if (!holds) std::abort();
}

void check_reply(const Json& reply) {
  require(reply.is_object() && reply.at("jsonrpc") == "2.0");
  if (reply.contains("method")) {
    require(reply["method"].get<std::string>().starts_with("notifications/"));
    require(!reply.contains("id") && reply.at("params").is_object());
    return;
  }
  const Json& id = reply.at("id");
  require(id.is_null() || id.is_string() || id.is_number_integer());
  require(reply.contains("result") != reply.contains("error"));
  if (reply.contains("error")) {
    require(reply["error"]["code"].is_number_integer() && reply["error"]["message"].is_string());
  } else {
    require(!id.is_null() && reply["result"].is_object());
  }
}

void check_text(std::string_view text) {
  require(text.find('\n') == std::string_view::npos);
  const Json reply = Json::parse(text, nullptr, false);
  require(!reply.is_discarded());
  if (!reply.is_array()) return check_reply(reply);
  require(!reply.empty() && reply.size() <= 100);
  for (const Json& part : reply) check_reply(part);
}

/// Gives back what it is given, and tells of its progress.
class Echo final : public service::Executor {
 public:
  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    if (call.progress) call.progress(1, 2, std::string(operation));
    if (arguments.contains("fail")) {
      return quiver::Error{quiver::ErrorCode::InvalidArgument, arguments["fail"].dump()};
    }
    return arguments;
  }
};

class Lines final : public mcp::Transport {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  Result<std::optional<std::string>> read() override {
    if (text_.empty() || finished_) return std::optional<std::string>();
    const auto end = text_.find('\n');
    std::string line(text_.substr(0, end));
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    return std::optional(std::move(line));
  }
  Status write(std::string_view message) override {
    check_text(message);
    return Done{};
  }
  bool offer(std::string_view message) override {
    check_text(message);
    return true;
  }
  void finish() noexcept override { finished_ = true; }

 private:
  std::string_view text_;
  bool finished_ = false;
};

service::Registry tools() {
  service::Operation read;
  read.name = "memory_search";
  service::Operation write;
  write.name = "memory_store";
  write.access = service::Access::Write;
  return service::Registry({read, write});
}

quiver::Status inline_work(const std::function<void()>& work) {
  work();
  return quiver::Done{};
}

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
};

struct Stream final : quiver::HttpStream {
  explicit Stream(std::shared_ptr<Answer> its_answer) : answer(std::move(its_answer)) {}
  bool write(std::string_view bytes) override {
    answer->body += bytes;
    return true;
  }
  void end() override {}
  std::shared_ptr<Answer> answer;
};

struct Kept final : quiver::HttpResponder {
  void respond(quiver::HttpResponse it) override {
    require(answer->status == 0);
    *answer = {it.status, std::move(it.headers), std::move(it.body)};
  }
  std::shared_ptr<quiver::HttpStream> stream(quiver::HttpResponse head) override {
    respond(std::move(head));
    return std::make_shared<Stream>(answer);
  }
  void on_gone(std::function<void()>) override {}
  std::shared_ptr<Answer> answer = std::make_shared<Answer>();
};

void converse(const mcp::Server& server, std::string_view text) {
  Lines lines(text);
  require(mcp::Connection(server, lines).run().ok());
}

Answer send(mcp::HttpEndpoint& endpoint, quiver::HttpRequest request) {
  const auto responder = std::make_shared<Kept>();
  endpoint.handle(std::move(request), responder);
  return *responder->answer;
}

/// A request of any method, with headers that may lie, in a session or in none.
void ask(const mcp::Server& server, std::uint8_t choice, std::string_view body) {
  static const char* const versions[] = {"2026-07-28", "2025-11-25", "2025-03-26", "1900-01-01"};
  static const char* const methods[] = {"tools/call", "tools/list", "server/discover", "ping"};
  const mcp::HttpEndpointOptions options;
  mcp::HttpEndpoint endpoint(server, inline_work, options);
  quiver::HttpRequest request{"POST", "/mcp", {}, std::string(body)};
  request.headers = {{"host", "localhost"}, {"content-type", "application/json"}};
  if ((choice & 0x10U) != 0) {
    quiver::HttpRequest open = request;
    open.body = R"({"jsonrpc":"2.0","id":0,"method":"initialize",)"
                R"("params":{"protocolVersion":"2025-03-26"}})";
    request.headers["mcp-session-id"] = send(endpoint, open).headers.at("mcp-session-id");
    if ((choice & 0x20U) != 0) {
      request.method = "GET";
      request.headers["last-event-id"] = std::string(body.substr(0, 64));
    }
  }
  if ((choice & 0x40U) == 0) request.headers["mcp-protocol-version"] = versions[choice & 3U];
  request.headers["mcp-method"] = methods[(choice >> 2U) & 3U];
  request.headers["mcp-name"] = (choice & 0x20U) == 0 ? "memory_search" : "=?base64?bQ==?=";
  const Answer answer = send(endpoint, request);
  const bool known = answer.status == 200 || answer.status == 202 || answer.status == 400 ||
                     answer.status == 404 || answer.status == 405;
  require(known);
  const bool streams = answer.headers.contains("content-type") &&
                       answer.headers.at("content-type") == "text/event-stream";
  if (streams) return require(answer.status == 200);
  require(answer.body.empty() == (answer.status == 202));
  if (!answer.body.empty()) check_text(answer.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const service::Registry registry = tools();
  static Echo echo;
  static const mcp::Server server(mcp::product_offer(registry, echo), inline_work);
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80U) != 0) {
    ask(server, data[0], rest);
  } else {
    converse(server, rest);
  }
  return 0;
}
