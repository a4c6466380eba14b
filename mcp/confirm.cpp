#include "mcp/confirm.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/ids.h"

namespace quiver::mcp {
namespace {

constexpr const char* kConfirm = "confirm";

/// What the question is about: the id of the collection, which another of its name does not have.
Json subject_of(const Json& reply) {
  return reply.value("id", Json());
}

/// The same where the preview will not tell it; null if there is no such collection.
Result<Json> subject_by_name(const service::Confirmation& needed, service::Executor& executor,
                             const Call& call) {
  if (needed.collection.empty()) return Json();
  const auto info =
      executor.invoke(call.context, "collection_info", {{"collection", needed.collection}});
  if (info.ok()) return subject_of(*info);
  if (info.error().code == ErrorCode::NotFound) return Json();
  return info.error();
}

InputRequired ask(const service::Question& question, Json subject) {
  const Json schema{
      {"type", "object"},
      {"properties",
       {{kConfirm,
         {{"type", "boolean"}, {"title", "Delete"}, {"description", "This cannot be undone."}}}}},
      {"required", Json::array({kConfirm})}};
  // Each question has its own key: a call, or the task it has become, may ask again.
  const std::string key = kConfirm + ('_' + RequestId::random().hex());
  return {{{key, "elicitation/create", {{"message", question.text}, {"requestedSchema", schema}}}},
          {{"points", question.points}, {"subject", std::move(subject)}, {"key", key}}};
}

struct Given {
  std::string key;
  const Json& answer;
};

/// The answer to a question about the same, and at least so much of it.
std::optional<Given> answer_to(const service::Question& question, const Json& subject,
                               const Inputs& inputs) {
  const Json& state = inputs.state;
  if (!state.is_object() || state.value("points", std::uint64_t{0}) < question.points ||
      state.value("subject", Json()) != subject) {
    return std::nullopt;
  }
  const auto found = inputs.responses.find(state.value("key", ""));
  if (found == inputs.responses.end()) return std::nullopt;
  return Given{found->first, found->second};
}

Error no_answer(const std::string& why) {
  return {ErrorCode::FailedPrecondition,
          "the user was asked and gave no answer" + why + ": nothing was deleted"};
}

/// Nothing: it is a yes.
std::optional<Error> refusal(const Json& answer) {
  if (!answer.is_object()) {
    return no_answer(std::string(" that can be read: the client sent a result that is no object "
                                 "but ") +
                     answer.type_name());
  }
  const Json action = answer.value("action", Json());
  if (action == "cancel") return no_answer("");
  if (action == "accept") {
    const Json content = answer.value("content", Json());
    const Json confirmed = content.is_object() ? content.value(kConfirm, Json()) : Json();
    if (confirmed == true) return std::nullopt;
    if (confirmed != false) {
      return no_answer(" that can be read: accept comes with content.confirm, true or false");
    }
  } else if (action != "decline") {
    return no_answer(" that can be read: action must be accept, decline or cancel");
  }
  return Error{ErrorCode::PermissionDenied,
               "the user was asked and declined: nothing was deleted, and this call is not to be "
               "repeated unless the user asks for it"};
}

/// Whether what would go is there, and might be read at another time or on another day.
bool cannot_be_read(const CallContext& call, const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Corruption ||
         (error.code == ErrorCode::DeadlineExceeded && call.check().ok());
}

}  // namespace

bool Spent::spend(const std::string& question) {
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  while (!order_.empty() && (order_.front().first + kKept < now || order_.size() >= kMost)) {
    known_.erase(order_.front().second);
    order_.pop_front();
  }
  if (!known_.insert(question).second) return false;
  order_.emplace_back(now, question);
  return true;
}

bool is_confirmed(const service::Operation& operation, const Call& call) {
  return operation.confirmation && call.can_elicit();
}

Confirmed confirm(const service::Operation& operation, service::Executor& executor,
                  const Call& call, Spent& spent) {
  auto wanted = operation.confirmation(call.arguments);
  if (!wanted.ok()) return std::move(wanted).error();
  if (!*wanted) return call.arguments;
  const service::Confirmation& needed = **wanted;

  // First: of a collection that takes the name in between, the user is not asked as of this one.
  QV_TRY(Json subject, subject_by_name(needed, executor, call));
  const auto preview = executor.invoke(call.context, needed.preview, needed.preview_arguments);
  const bool unseen =
      !preview.ok() && !needed.unseen.empty() && cannot_be_read(call.context, preview.error());
  if (!preview.ok() && !unseen) return preview.error();
  const auto question =
      unseen ? std::optional(service::Question{needed.unseen}) : needed.question(*preview);
  if (!question) return call.arguments;
  if (subject.is_null() && !unseen) subject = subject_of(*preview);
  const auto given = answer_to(*question, subject, call.inputs);
  if (!given) return ask(*question, std::move(subject));
  if (!spent.spend(given->key)) return ask(*question, std::move(subject));
  if (auto refused = refusal(given->answer)) return *std::move(refused);
  return needed.confirmed;
}

}  // namespace quiver::mcp
