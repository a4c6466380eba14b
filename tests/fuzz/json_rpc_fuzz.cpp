// Bytes -> messages -> replies, over both ways in. The first byte chooses: a conversation on a
// stream, one message a line, or an HTTP request whose headers come from that byte. Whatever comes
// in, each reply is one line of JSON-RPC under an id that was asked with, or under null.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
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
    require(reply["method"] == "notifications/progress" && !reply.contains("id"));
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

struct Kept final : quiver::HttpResponder {
  void respond(quiver::HttpResponse it) override { response = std::move(it); }
  std::shared_ptr<quiver::HttpStream> stream(quiver::HttpResponse) override { return nullptr; }
  void on_gone(std::function<void()>) override {}
  quiver::HttpResponse response{0, {}, ""};
};

void converse(const mcp::Server& server, std::string_view text) {
  Lines lines(text);
  require(mcp::Connection(server, lines).run().ok());
}

void post(const mcp::Server& server, std::uint8_t choice, std::string_view body) {
  static const char* const versions[] = {"2026-07-28", "2025-11-25", "2025-03-26", "1900-01-01"};
  static const char* const methods[] = {"tools/call", "tools/list", "server/discover", "ping"};
  quiver::HttpRequest request{"POST", "/mcp", {}, std::string(body)};
  request.headers = {{"host", "localhost"}, {"content-type", "application/json"}};
  if ((choice & 0x40U) == 0) request.headers["mcp-protocol-version"] = versions[choice & 3U];
  request.headers["mcp-method"] = methods[(choice >> 2U) & 3U];
  request.headers["mcp-name"] = (choice & 0x20U) == 0 ? "memory_search" : "=?base64?bQ==?=";
  const auto responder = std::make_shared<Kept>();
  mcp::HttpEndpoint(server, {}).handle(request, responder);
  const quiver::HttpResponse& response = responder->response;
  require(response.status == 200 || response.status == 202 || response.status == 400 ||
          response.status == 404);
  require(response.body.empty() == (response.status == 202));
  if (!response.body.empty()) check_text(response.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const service::Registry registry = tools();
  static Echo echo;
  static const mcp::Server server(mcp::product_offer(registry, echo), inline_work);
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80U) != 0) {
    post(server, data[0], rest);
  } else {
    converse(server, rest);
  }
  return 0;
}
