#include "mcp/server.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "core/log.h"
#include "mcp/about.h"
#include "mcp/params.h"
#include "mcp/progress.h"
#include "mcp/request_meta.h"

namespace quiver::mcp {

struct Server::Method {
  std::string_view name;
  bool legacy;
  bool modern;
  /// It may wait, and so must not run on the thread that reads.
  bool runs_long;
  void (Server::*run)(const TurnPtr& turn) const;
  /// Null: always.
  bool (*offered)(const Offer& offer);
};

namespace {

RpcError unknown_method(const std::string& name) {
  return {rpc::kMethodNotFound, "method not found: " + display(name)};
}

const Revision& newest() {
  return kRevisions.back();
}

std::string modern_meta(const About& about) {
  return ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" +
         to_text(server_info(about, newest())) + "}";
}

std::string cache_hints(std::chrono::milliseconds ttl, const char* scope) {
  return ",\"ttlMs\":" + std::to_string(ttl.count()) + ",\"cacheScope\":\"" + scope + "\"";
}

bool has_prompts(const Offer& offer) {
  return !offer.prompts.empty();
}

bool has_resources(const Offer& offer) {
  return offer.resources != nullptr;
}

bool changes(const Offer& offer) {
  return offer.hub != nullptr;
}

bool has_subscriptions(const Offer& offer) {
  return has_resources(offer) && changes(offer);
}

bool completes(const Offer& offer) {
  return offer.complete != nullptr;
}

Tasks::Changed tell_of_task(const Offer& offer) {
  if (!offer.hub) return nullptr;
  return [hub = offer.hub](const std::string& id) { hub->publish({Event::Kind::TaskChanged, id}); };
}

std::string instructions_member(const About& about) {
  if (about.instructions.empty()) return "";
  return ",\"instructions\":" + to_text(Json(about.instructions));
}

}  // namespace

Server::Server(Offer offer, Submit submit, const ServerOptions& options)
    : offer_(std::move(offer)),
      tools_(offer_.tools),
      prompts_(offer_.prompts),
      submit_(std::move(submit)),
      options_(options),
      modern_meta_(modern_meta(offer_.about)),
      cache_hints_(cache_hints(options.list_ttl, "public")),
      data_hints_(cache_hints(options.data_ttl, "private")),
      states_(*options_.clock),
      tasks_(*options_.clock, options_.tasks, tell_of_task(offer_)),
      listens_(offer_.hub ? std::make_unique<Listens>(
                                offer_.hub,
                                [this](const Event& event, const Json& meta) {
                                  return change_text(event, meta);
                                },
                                [this](Turn& turn, const Json& meta) { close_listen(turn, meta); })
                          : nullptr) {}

void Server::stop() const {
  if (listens_) listens_->end_all();
  tasks_.cancel_all();
}

const Server::Method* Server::find_method(std::string_view name) const {
  using S = Server;
  static constexpr std::array<Method, 18> kMethods{{
      {"initialize", true, false, false, &S::initialize, nullptr},
      {"ping", true, false, false, &S::ping, nullptr},
      {"server/discover", false, true, false, &S::discover, nullptr},
      {"logging/setLevel", true, false, false, &S::set_log_level, nullptr},
      {"tools/list", true, true, false, &S::list_tools, nullptr},
      {"tools/call", true, true, true, &S::call_tool, nullptr},
      {"tasks/get", false, true, false, &S::get_task, nullptr},
      {"tasks/update", false, true, false, &S::update_task, nullptr},
      {"tasks/cancel", false, true, false, &S::cancel_task, nullptr},
      {"prompts/list", true, true, false, &S::list_prompts, has_prompts},
      {"prompts/get", true, true, true, &S::get_prompt, has_prompts},
      {"resources/list", true, true, true, &S::list_resources, has_resources},
      {"resources/templates/list", true, true, false, &S::list_templates, has_resources},
      {"resources/read", true, true, true, &S::read_resource, has_resources},
      {"resources/subscribe", true, false, false, &S::subscribe, has_subscriptions},
      {"resources/unsubscribe", true, false, false, &S::unsubscribe, has_subscriptions},
      {"subscriptions/listen", false, true, false, &S::listen, changes},
      {"completion/complete", true, true, true, &S::complete_argument, completes},
  }};
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& method) { return method.name == name; });
  if (found == kMethods.end()) return nullptr;
  return found->offered == nullptr || found->offered(offer_) ? found : nullptr;
}

void Server::handle(Request request, Exchange exchange) const {
  start(std::move(request), std::move(exchange), nullptr);
}

void Server::turn_down(Request request, Exchange exchange, const Error& busy) const {
  start(std::move(request), std::move(exchange), &busy);
}

void Server::start(Request request, Exchange exchange, const Error* busy) const {
  const auto turn = std::make_shared<Turn>(std::move(request), std::move(exchange));
  const Method* method = nullptr;
  if (auto refused = classify(*turn, method)) {
    turn->finish(*std::move(refused));
    return;
  }
  if (!method->runs_long) return run(*method, turn);

  if (!begin(*turn)) return;
  Status submitted =
      busy == nullptr ? submit_([this, turn, method] { run(*method, turn); }) : Status(*busy);
  if (submitted.ok()) return;
  if (method->run == &Server::call_tool) {
    return finish_tool(turn, failed_result(submitted.error()));
  }
  fail(turn, {rpc::kInternalError, submitted.error().message});
}

bool Server::begin(Turn& turn) const {
  if (!turn.session) return true;
  auto token = turn.session->begin(turn.request.id);
  if (!token) {
    // Under the id itself it would be taken for the answer that is still to come.
    const RpcError taken{rpc::kInvalidRequest,
                         "id " + to_text(turn.request.id) + " is already in flight"};
    turn.finish({error_reply(Json(nullptr), taken), taken.code});
    return false;
  }
  turn.cancel = *std::move(token);
  turn.in_flight = true;
  return true;
}

void Server::run(const Method& method, const TurnPtr& turn) const {
  try {
    (this->*method.run)(turn);
  } catch (const std::exception& error) {
    // Out of memory, at worst: one request fails, the server goes on.
    QV_LOG_ERROR("mcp.method_threw method={} what={}", method.name, error.what());
    fail(turn, {rpc::kInternalError, "the server failed to answer"});
  }
}

std::optional<Reply> Server::classify(Turn& turn, const Method*& method) const {
  const Request& request = turn.request;
  if (turn.session) turn.revision = &turn.session->revision();
  const auto meta = request.params.find("_meta");
  if (meta != request.params.end() && !meta->is_object()) {
    return failure(turn, invalid_params("params._meta: must be an object"));
  }
  const Json* claimed = claimed_version(request.params);
  method = find_method(request.method);
  if (claimed != nullptr || (method != nullptr && !method->legacy)) {
    return classify_modern(turn, claimed, method);
  }
  if (method == nullptr) return failure(turn, unknown_method(request.method));
  if (turn.session) turn.capabilities = turn.session->capabilities();
  return std::nullopt;
}

std::optional<Reply> Server::classify_modern(Turn& turn, const Json* claimed,
                                             const Method* method) const {
  const Request& request = turn.request;
  if (claimed == nullptr) return refusal(turn, missing_meta(request.params));
  if (const auto fault = version_fault(*claimed)) return refusal(turn, *fault);
  turn.revision = find_revision(claimed->get_ref<const std::string&>());
  if (method == nullptr || !method->modern) {
    RpcError error = unknown_method(request.method);
    // The only diagnostic that a client of the wrong era may show to a person.
    error.message += " in " + version_list(Era::Modern);
    return refusal(turn, error);
  }
  if (const auto fault = meta_fault(request.params)) return refusal(turn, *fault);
  turn.capabilities = claimed_capabilities(request.params);
  turn.log_level = claimed_log_level(request.params);
  return std::nullopt;
}

void Server::notice(const Notification& notification, Session& session) const {
  if (notification.method == "notifications/cancelled") {
    const auto id = notification.params.find("requestId");
    if (id != notification.params.end()) session.cancel(*id);
    return;
  }
  QV_LOG_DEBUG("mcp.notification_ignored method={}", display(notification.method));
}

void Server::initialize(const TurnPtr& turn) const {
  const Json& params = turn->request.params;
  const auto version = params.find("protocolVersion");
  if (version == params.end() || !version->is_string()) {
    return fail(turn, invalid_params("params.protocolVersion: must be a string, such as \"" +
                                     std::string(negotiate("").version) + "\""));
  }
  for (const char* key : {"capabilities", "clientInfo"}) {
    const auto found = params.find(key);
    if (found != params.end() && !found->is_object()) {
      return fail(turn, invalid_params(std::string("params.") + key + ": must be an object"));
    }
  }
  const Revision& agreed = negotiate(version->get_ref<const std::string&>());
  if (turn->session) turn->session->agree(agreed, params.value("capabilities", Json::object()));
  turn->revision = &agreed;
  Reply reply =
      complete(*turn, "\"protocolVersion\":" + to_text(Json(agreed.version)) +
                          ",\"capabilities\":" + to_text(capabilities(offer_, agreed)) +
                          ",\"serverInfo\":" + to_text(server_info(offer_.about, agreed)) +
                          instructions_member(offer_.about));
  reply.agreed = &agreed;
  turn->finish(std::move(reply));
  if (!turn->session || !offer_.hub) return;
  if (const auto made = subscription_of(turn->session); !made.ok()) {
    QV_LOG_WARN("mcp.session_not_told_of_changes why={}", made.error().message);
  }
}

void Server::ping(const TurnPtr& turn) const {
  turn->finish(complete(*turn, ""));
}

void Server::discover(const TurnPtr& turn) const {
  Json versions = Json::array();
  for (const Revision& revision : kRevisions) {
    if (revision.era == Era::Modern) versions.insert(versions.begin(), revision.version);
  }
  turn->finish(complete(*turn, "\"supportedVersions\":" + to_text(versions) + ",\"capabilities\":" +
                                   to_text(capabilities(offer_, *turn->revision)) +
                                   instructions_member(offer_.about) + cache_hints_));
}

void Server::list_tools(const TurnPtr& turn) const {
  if (turn->request.params.contains("cursor")) {
    return fail(turn, invalid_params("params.cursor: unknown cursor; the list has one page"));
  }
  std::string members = "\"tools\":" + tools_.list(*turn->revision);
  turn->finish(complete(*turn, members.append(static_hints(*turn->revision))));
}

std::string_view Server::static_hints(const Revision& revision) const noexcept {
  return revision.era == Era::Modern ? std::string_view(cache_hints_) : std::string_view();
}

std::string_view Server::data_hints(const Revision& revision) const noexcept {
  return revision.era == Era::Modern ? std::string_view(data_hints_) : std::string_view();
}

Reply Server::result(const Turn& turn, std::string_view type, std::string_view members) const {
  std::string result = "{";
  if (turn.revision->era == Era::Modern) {
    result.append("\"resultType\":\"").append(type).append("\"").append(modern_meta_);
    if (!members.empty()) result += ",";
  }
  result.append(members).append("}");
  return {result_reply(turn.request.id, result)};
}

}  // namespace quiver::mcp
