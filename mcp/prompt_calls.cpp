// prompts/list and prompts/get.

#include <utility>

#include "mcp/conclude.h"
#include "mcp/fields.h"
#include "mcp/params.h"
#include "mcp/request_meta.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

constexpr std::size_t kNameBytesMax = 256;

struct Asked {
  const Prompt* prompt;
  Json arguments;
  Json progress_token;
};

Result<Asked> read(const Prompts& prompts, const Json& params) {
  QV_TRY(const std::string name, string_param(params, "name", kNameBytesMax));
  QV_TRY(const Prompt* prompt, prompts.find(name));
  QV_TRY(Json arguments, strings_param(params, "arguments"));
  QV_CHECK(check_arguments(*prompt, arguments));
  QV_TRY(Json token, progress_token(params));
  return Asked{prompt, std::move(arguments), std::move(token)};
}

std::string members_of(const PromptResult& result, const Revision& revision) {
  Json messages = result.messages;
  for (Json& message : messages) {
    message["content"] = fit_content(std::move(message["content"]), revision);
  }
  std::string members = "\"messages\":" + to_text(messages);
  if (!result.description.empty()) {
    members += ",\"description\":" + to_text(Json(result.description));
  }
  return members;
}

}  // namespace

void Server::list_prompts(const TurnPtr& turn) const {
  if (const Status fault = one_page(turn->request.params); !fault.ok()) {
    return fail(turn, rpc_error(fault.error()));
  }
  turn->finish(complete(
      *turn,
      ("\"prompts\":" + prompts_.list(*turn->revision)).append(static_hints(*turn->revision))));
}

void Server::get_prompt(const TurnPtr& turn) const {
  auto asked = read(prompts_, turn->request.params);
  if (!asked.ok()) return fail(turn, rpc_error(asked.error()));
  if (!read_turn_inputs(turn)) return;
  conclude<PromptResult>(
      turn, std::move(asked->arguments), std::move(asked->progress_token), asked->prompt->run,
      [turn](const PromptResult& result) { return members_of(result, *turn->revision); });
}

}  // namespace quiver::mcp
