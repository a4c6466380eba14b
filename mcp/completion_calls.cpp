// completion/complete.

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

constexpr std::size_t kValuesMax = 100;
constexpr std::size_t kNameBytesMax = 256;

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message)};
}

Result<const Json*> object_param(const Json& params, const char* key) {
  const auto found = params.find(key);
  if (found == params.end() || !found->is_object()) {
    return invalid(std::string("params.") + key + ": must be an object");
  }
  return &*found;
}

Result<std::string> text_of(const Json& object, const char* path, const char* key,
                            std::size_t bytes_max) {
  const auto found = object.find(key);
  const auto* text = found == object.end() ? nullptr : found->get_ptr<const std::string*>();
  if (text == nullptr || text->size() > bytes_max) {
    return invalid(std::string(path) + key + ": must be a string of at most " +
                   std::to_string(bytes_max) + " bytes");
  }
  return *text;
}

/// Fills in what `ref` refers to.
Status read_ref(const Json& ref, CompletionQuery& query) {
  QV_TRY(const std::string type, text_of(ref, "params.ref.", "type", kNameBytesMax));
  if (type == "ref/prompt") {
    query.kind = CompletionQuery::Kind::Prompt;
    QV_TRY(query.subject, text_of(ref, "params.ref.", "name", kNameBytesMax));
    return Done{};
  }
  if (type == "ref/resource") {
    query.kind = CompletionQuery::Kind::ResourceTemplate;
    QV_TRY(query.subject, text_of(ref, "params.ref.", "uri", kUriBytesMax));
    return Done{};
  }
  return invalid("params.ref.type: must be \"ref/prompt\" or \"ref/resource\", got " +
                 display(type));
}

Result<CompletionQuery> read(const Json& params) {
  CompletionQuery query;
  QV_TRY(const Json* ref, object_param(params, "ref"));
  QV_CHECK(read_ref(*ref, query));
  QV_TRY(const Json* argument, object_param(params, "argument"));
  QV_TRY(query.argument, text_of(*argument, "params.argument.", "name", kNameBytesMax));
  QV_TRY(query.value, text_of(*argument, "params.argument.", "value", limits::kQueryBytesMax));
  if (!params.contains("context")) return query;
  QV_TRY(const Json* context, object_param(params, "context"));
  auto given = strings_param(*context, "arguments");
  if (!given.ok()) return invalid("params.context.arguments: must be an object of strings");
  query.context = *std::move(given);
  return query;
}

/// Whether what is asked about exists; an argument that does is not always one that completes.
Status check(const CompletionQuery& query, const Prompts& prompts, const Resources* resources) {
  if (query.kind == CompletionQuery::Kind::Prompt) {
    QV_TRY(const Prompt* prompt, prompts.find(query.subject));
    for (const PromptArgument& argument : prompt->arguments) {
      if (argument.name == query.argument) return Done{};
    }
    return invalid("params.argument.name: " + prompt->name + " has no argument " +
                   display(query.argument));
  }
  for (const Json& known : resources == nullptr ? Json::array() : resources->templates()) {
    if (known["uriTemplate"] != query.subject) continue;
    if (query.subject.find("{" + query.argument + "}") != std::string::npos) return Done{};
    return invalid("params.argument.name: the template has no variable " + display(query.argument));
  }
  return invalid("params.ref.uri: unknown template " + display(query.subject) +
                 ": resources/templates/list names those there are");
}

Json rendered(const Completion& completion) {
  const std::size_t shown = std::min(completion.values.size(), kValuesMax);
  Json values = Json::array();
  for (std::size_t i = 0; i < shown; ++i) values.push_back(completion.values[i]);
  Json json{{"values", std::move(values)},
            {"hasMore", completion.has_more || shown < completion.values.size()}};
  if (completion.total) json["total"] = *completion.total;
  return json;
}

}  // namespace

void Server::complete_argument(const TurnPtr& turn) const {
  const auto refuse = [&](const Error& error) { fail(turn, rpc_error(error)); };
  const auto query = read(turn->request.params);
  if (!query.ok()) return refuse(query.error());
  if (const Status fault = check(*query, prompts_, offer_.resources.get()); !fault.ok()) {
    return refuse(fault.error());
  }
  static const Json no_arguments = Json::object();
  Call call = call_of(turn, no_arguments, nullptr);
  const auto completion = offer_.complete(call, *query);
  if (!completion.ok()) return refuse(completion.error());
  turn->finish(complete(*turn, "\"completion\":" + to_text(rendered(*completion))));
}

}  // namespace quiver::mcp
