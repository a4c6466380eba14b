#include "support.h"

#include <utility>

#include <catch2/catch.hpp>

namespace quiver::mcp::test {

service::Operation operation(const std::string& name, service::Access access,
                             service::Effects effects) {
  service::Operation operation;
  operation.name = name;
  operation.title = "Title of " + name;
  operation.description = "Does " + name + ".";
  operation.access = access;
  operation.effects = effects;
  operation.request_schema = {{"type", "object"},
                              {"properties", {{"text", {{"type", "string"}}}}},
                              {"required", Json::array({"text"})},
                              {"additionalProperties", false}};
  operation.response_schema = {{"type", "object"},
                               {"properties", {{"text", {{"type", "string"}}}}}};
  return operation;
}

service::Operation internal_operation(const std::string& name) {
  auto made = operation(name, service::Access::Read);
  made.shown = false;
  return made;
}

World::World()
    : registry({operation("store", service::Access::Write, {false, true}),
                operation("echo", service::Access::Read),
                operation("drop", service::Access::Admin, {true, true}),
                operation("hold", service::Access::Read), operation("steps", service::Access::Read),
                operation("fail", service::Access::Read)}) {
  executor.on("echo",
              [](const CallContext&, const Json& arguments) -> Result<Json> { return arguments; });
  executor.on("store", [this](const CallContext& call, const Json&) -> Result<Json> {
    stored = call;
    return Json{{"stored", 1}};
  });
  executor.on("hold", [this](const CallContext& call, const Json& arguments) -> Result<Json> {
    QV_CHECK(gate.pass(call));
    return arguments;
  });
  executor.on("steps", [](const CallContext& call, const Json&) -> Result<Json> {
    for (std::uint64_t step = 1; call.progress && step <= 3; ++step) {
      call.progress(step, 3, "step " + std::to_string(step));
      call.progress(step, 3, "again");
    }
    return Json{{"steps", 3}};
  });
  executor.on("fail", [](const CallContext&, const Json&) -> Result<Json> {
    return Error{ErrorCode::NotFound, "collection \"docz\" not found: did you mean \"docs\"?"};
  });
}

Offer World::offer(std::size_t result_bytes_max) {
  Offer offer;
  offer.about = product_offer(registry, executor).about;
  offer.tools = operation_tools(registry, executor, result_bytes_max);
  return offer;
}

Status inline_work(const std::function<void()>& work) {
  work();
  return Done{};
}

namespace {

class KeptOutlet final : public Outlet {
 public:
  explicit KeptOutlet(Reply& kept) : kept_(kept) {}
  bool tell(const std::string&) override { return false; }
  bool send(const std::string&) override { return false; }
  void reply(Reply reply) override { kept_ = std::move(reply); }

 private:
  Reply& kept_;
};

}  // namespace

Reply answer(const Server& server, Request request, std::shared_ptr<Session> session,
             const Error* busy) {
  Reply kept;
  Exchange exchange{std::move(session), std::make_shared<KeptOutlet>(kept)};
  if (busy == nullptr) {
    server.handle(std::move(request), std::move(exchange));
  } else {
    server.turn_down(std::move(request), std::move(exchange), *busy);
  }
  return kept;
}

void MemoryTransport::say(std::string message) {
  const std::lock_guard lock(mutex_);
  said_.push_back(std::move(message));
  changed_.notify_all();
}

void MemoryTransport::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void MemoryTransport::hang_up() {
  const std::lock_guard lock(mutex_);
  hung_up_ = true;
}

std::vector<Json> MemoryTransport::heard(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [&] { return heard_.size() >= count; });
  CHECK(heard_.size() >= count);
  std::vector<Json> messages;
  for (const auto& text : heard_) messages.push_back(parsed(text));
  return messages;
}

std::vector<std::string> MemoryTransport::raw() {
  const std::lock_guard lock(mutex_);
  return heard_;
}

Result<std::optional<std::string>> MemoryTransport::read() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !said_.empty(); });
  if (said_.empty()) return std::optional<std::string>();
  std::string message = std::move(said_.front());
  said_.pop_front();
  return std::optional(std::move(message));
}

Status MemoryTransport::write(std::string_view message) {
  const std::lock_guard lock(mutex_);
  if (hung_up_) return Error{ErrorCode::Unavailable, "the peer is gone"};
  heard_.emplace_back(message);
  changed_.notify_all();
  return Done{};
}

std::string request(const Json& id, const std::string& method, Json params) {
  Json message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
  if (!params.is_null()) message["params"] = std::move(params);
  return message.dump();
}

Json modern_meta() {
  return {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
          {"io.modelcontextprotocol/clientInfo", {{"name", "test"}, {"version", "1"}}},
          {"io.modelcontextprotocol/clientCapabilities", Json::object()}};
}

std::string modern(const Json& id, const std::string& method, Json params) {
  Json meta = modern_meta();
  if (params.contains("_meta")) meta.update(params["_meta"]);
  params["_meta"] = std::move(meta);
  return request(id, method, std::move(params));
}

Json parsed(const std::string& text) {
  INFO(text.substr(0, 500));
  Json json = Json::parse(text, nullptr, false);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

}  // namespace quiver::mcp::test
