#include "mcp/confirm.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace quiver::mcp {
namespace {

constexpr const char* kConfirm = "confirm";

/// Names a question. Each has its own: a call, or the task it has become, may ask again.
std::string key_of(std::uint64_t points) {
  return kConfirm + ("_" + std::to_string(points));
}

InputRequired ask(const service::Question& question) {
  const Json schema{
      {"type", "object"},
      {"properties",
       {{kConfirm,
         {{"type", "boolean"}, {"title", "Delete"}, {"description", "This cannot be undone."}}}}},
      {"required", Json::array({kConfirm})}};
  return {{{key_of(question.points),
            "elicitation/create",
            {{"message", question.text}, {"requestedSchema", schema}}}},
          {{"points", question.points}}};
}

/// The answer to a question about at least so much; null: none was given.
const Json* answer_to(const service::Question& question, const Inputs& inputs) {
  if (!inputs.state.is_object()) return nullptr;
  const auto asked = inputs.state.value("points", std::uint64_t{0});
  const auto found = inputs.responses.find(key_of(asked));
  return asked < question.points || found == inputs.responses.end() ? nullptr : &found->second;
}

/// Nothing: it is a yes.
std::optional<Error> refusal(const Json& answer) {
  const Json action = answer.value("action", Json());
  if (action == "cancel") {
    return Error{ErrorCode::FailedPrecondition,
                 "the user was asked and gave no answer: nothing was deleted"};
  }
  const Json content = answer.value("content", Json());
  if (action == "accept" && content.is_object() && content.value(kConfirm, Json()) == true) {
    return std::nullopt;
  }
  return Error{ErrorCode::PermissionDenied,
               "the user was asked and declined: nothing was deleted, and this call is not to be "
               "repeated unless the user asks for it"};
}

}  // namespace

bool is_confirmed(const service::Operation& operation, const Call& call) {
  return operation.confirmation && call.can_elicit();
}

Confirmed confirm(const service::Operation& operation, service::Executor& executor,
                  const Call& call) {
  auto wanted = operation.confirmation(call.arguments);
  if (!wanted.ok()) return std::move(wanted).error();
  if (!*wanted) return call.arguments;
  const service::Confirmation& needed = **wanted;

  const auto preview = executor.invoke(call.context, needed.preview, needed.preview_arguments);
  if (!preview.ok()) return preview.error();
  const auto question = needed.question(*preview);
  if (!question) return call.arguments;
  const Json* answer = answer_to(*question, call.inputs);
  if (answer == nullptr) return ask(*question);
  if (auto refused = refusal(*answer)) return *std::move(refused);
  return needed.confirmed;
}

}  // namespace quiver::mcp
