#include "mcp/server.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "core/log.h"
#include "mcp/about.h"
#include "mcp/request_meta.h"

namespace quiver::mcp {
namespace {

enum class Method { Initialize, Ping, Discover, ListTools, CallTool };

struct MethodEntry {
  std::string_view name;
  Method method;
  bool legacy;
  bool modern;
};

constexpr std::array<MethodEntry, 5> kMethods{{
    {"initialize", Method::Initialize, true, false},
    {"ping", Method::Ping, true, false},
    {"server/discover", Method::Discover, false, true},
    {"tools/list", Method::ListTools, true, true},
    {"tools/call", Method::CallTool, true, true},
}};

const MethodEntry* find_method(std::string_view name) {
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const MethodEntry& entry) { return entry.name == name; });
  return found == kMethods.end() ? nullptr : found;
}

Reply fail(const Request& request, const RpcError& error) {
  return {error_reply(request.id, error), error.code};
}

Reply refuse(const Request& request, const RpcError& error) {
  return {error_reply(request.id, error), error.code, true};
}

RpcError invalid_params(std::string message) {
  return {rpc::kInvalidParams, std::move(message)};
}

RpcError unknown_method(const std::string& name) {
  return {rpc::kMethodNotFound, "method not found: " + display(name)};
}

std::string initialize_members(const Revision& revision) {
  return "\"protocolVersion\":" + to_text(Json(revision.version)) +
         ",\"capabilities\":{\"tools\":{}},\"serverInfo\":" + to_text(server_info(revision)) +
         ",\"instructions\":" + to_text(Json(instructions()));
}

const Revision& newest() {
  return kRevisions.back();
}

std::string modern_head() {
  return "\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" +
         to_text(server_info(newest())) + "}";
}

std::string discover_members() {
  Json versions = Json::array();
  for (const Revision& revision : kRevisions) {
    if (revision.era == Era::Modern) versions.insert(versions.begin(), revision.version);
  }
  return "\"supportedVersions\":" + to_text(versions) +
         ",\"capabilities\":{\"tools\":{}},\"instructions\":" + to_text(Json(instructions()));
}

std::string cache_hints(std::chrono::milliseconds ttl) {
  return ",\"ttlMs\":" + std::to_string(ttl.count()) + ",\"cacheScope\":\"public\"";
}

}  // namespace

Server::Server(const service::Registry& registry, service::Executor& executor,
               const ServerOptions& options)
    : tools_(registry),
      executor_(executor),
      options_(options),
      modern_head_(modern_head()),
      cache_hints_(cache_hints(options.list_ttl)) {}

bool Server::runs_long(const Request& request) {
  return request.method == "tools/call";
}

Reply Server::answer(const Request& request, const Exchange& exchange) const {
  const auto meta = request.params.find("_meta");
  if (meta != request.params.end() && !meta->is_object()) {
    return fail(request, invalid_params("params._meta: must be an object"));
  }
  const Json* claimed = claimed_version(request.params);
  const MethodEntry* method = find_method(request.method);
  if (claimed != nullptr || (method != nullptr && !method->legacy)) {
    return modern(request, exchange, claimed);
  }
  return legacy(request, exchange);
}

Reply Server::turn_down(const Request& request, const Exchange& exchange,
                        const Error& error) const {
  if (!runs_long(request)) return answer(request, exchange);
  const Json* claimed = claimed_version(request.params);
  if (claimed != nullptr && version_fault(*claimed)) return answer(request, exchange);
  return tool_result(request, claimed != nullptr ? newest() : exchange.legacy, error);
}

Reply Server::legacy(const Request& request, const Exchange& exchange) const {
  const MethodEntry* method = find_method(request.method);
  if (method == nullptr) return fail(request, unknown_method(request.method));
  switch (method->method) {
    case Method::Initialize: return initialize(request);
    case Method::ListTools: return list_tools(request, exchange.legacy);
    case Method::CallTool: return call_tool(request, exchange.legacy, exchange);
    case Method::Ping:
    case Method::Discover: break;
  }
  return complete(request, exchange.legacy, "");
}

Reply Server::modern(const Request& request, const Exchange& exchange, const Json* claimed) const {
  if (claimed == nullptr) return refuse(request, missing_meta(request.params));
  if (const auto fault = version_fault(*claimed)) return refuse(request, *fault);
  const MethodEntry* method = find_method(request.method);
  if (method == nullptr || !method->modern) {
    RpcError error = unknown_method(request.method);
    // The only diagnostic that a client of the wrong era may show to a person.
    error.message += " in " + version_list(Era::Modern);
    return refuse(request, error);
  }
  if (const auto fault = meta_fault(request.params)) return refuse(request, *fault);
  const Revision& revision = *find_revision(claimed->get_ref<const std::string&>());
  switch (method->method) {
    case Method::Discover: return complete(request, revision, discover_members() + cache_hints_);
    case Method::CallTool: return call_tool(request, revision, exchange);
    case Method::ListTools:
    case Method::Initialize:
    case Method::Ping: break;
  }
  return list_tools(request, revision);
}

Reply Server::initialize(const Request& request) const {
  const auto version = request.params.find("protocolVersion");
  if (version == request.params.end() || !version->is_string()) {
    return fail(request, invalid_params("params.protocolVersion: must be a string, such as \"" +
                                        std::string(negotiate("").version) + "\""));
  }
  for (const char* key : {"capabilities", "clientInfo"}) {
    const auto found = request.params.find(key);
    if (found != request.params.end() && !found->is_object()) {
      return fail(request, invalid_params(std::string("params.") + key + ": must be an object"));
    }
  }
  const Revision& agreed = negotiate(version->get_ref<const std::string&>());
  Reply reply = complete(request, agreed, initialize_members(agreed));
  reply.agreed = &agreed;
  return reply;
}

Reply Server::list_tools(const Request& request, const Revision& revision) const {
  if (request.params.contains("cursor")) {
    return fail(request, invalid_params("params.cursor: unknown cursor; the list has one page"));
  }
  std::string members = "\"tools\":" + tools_.list(revision);
  if (revision.era == Era::Modern) members += cache_hints_;
  return complete(request, revision, members);
}

Reply Server::call_tool(const Request& request, const Revision& revision,
                        const Exchange& exchange) const {
  const auto name = request.params.find("name");
  if (name == request.params.end() || !name->is_string()) {
    return fail(request, invalid_params("params.name: must be the name of a tool"));
  }
  static const Json no_arguments = Json::object();
  const auto given = request.params.find("arguments");
  const Json& arguments = given == request.params.end() ? no_arguments : *given;
  if (!arguments.is_object()) {
    return fail(request, invalid_params("params.arguments: must be an object"));
  }
  auto token = progress_token(request.params);
  if (!token.ok()) return fail(request, invalid_params(token.error().message));
  const auto& tool = name->get_ref<const std::string&>();
  const service::Operation* operation = tools_.find(tool);
  if (operation == nullptr) return fail(request, invalid_params(tools_.unknown(tool)));

  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + options_.call_timeout;
  call.cancel = exchange.cancel;
  if (exchange.notify && !token->is_null()) {
    call.progress = progress_sink(*std::move(token), revision, options_.progress_interval,
                                  exchange.cancel, exchange.notify);
  }
  return tool_result(request, revision, invoke(*operation, arguments, std::move(call)));
}

Result<Json> Server::invoke(const service::Operation& operation, const Json& arguments,
                            CallContext call) const {
  if (operation.access != service::Access::Read) call.request_id = RequestId::random();
  try {
    QV_CHECK(call.check());
    return executor_.invoke(call, operation.name, arguments);
  } catch (const std::exception& error) {
    // Out of memory, at worst: one call fails, the server goes on.
    QV_LOG_ERROR("mcp.tool_threw tool={} what={}", operation.name, error.what());
    return Error{ErrorCode::Internal, "the server failed to carry out " + operation.name};
  }
}

Reply Server::tool_result(const Request& request, const Revision& revision,
                          const Result<Json>& outcome) const {
  std::string text;
  bool failed = !outcome.ok();
  Error error = failed ? outcome.error() : Error{ErrorCode::ResourceExhausted, ""};
  if (!failed) {
    text = to_text(*outcome);
    if (text.size() > options_.result_bytes_max) {
      failed = true;
      error.message = "the result has " + std::to_string(text.size()) + " bytes, at most " +
                      std::to_string(options_.result_bytes_max) + ": ask for less";
    }
  }
  std::string members = R"("content":[{"type":"text","text":)";
  if (failed) {
    const ErrorTraits known = traits(error.code);
    text =
        to_text({{"code", known.name}, {"message", error.message}, {"retryable", known.retryable}});
    members += to_text(Json(text)) + R"(}],"isError":true)";
    return complete(request, revision, members);
  }
  members += to_text(Json(text)) + "}]";
  // Revisions that know it demand an object.
  if (revision.structured_content && outcome->is_object()) {
    members += ",\"structuredContent\":" + text;
  }
  return complete(request, revision, members);
}

Reply Server::complete(const Request& request, const Revision& revision,
                       std::string_view members) const {
  std::string result = "{";
  if (revision.era == Era::Modern) {
    result += modern_head_;
    if (!members.empty()) result += ",";
  }
  result.append(members).append("}");
  return {result_reply(request.id, result)};
}

}  // namespace quiver::mcp
