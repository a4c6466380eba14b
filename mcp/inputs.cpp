#include "mcp/inputs.h"

#include <utility>

#include "mcp/json_rpc.h"
#include "mcp/params.h"

namespace quiver::mcp {
namespace {

/// What a requestState belongs to: the request but for what its repetition changes.
Json bound_part(const Request& request) {
  Json params = request.params;
  for (const char* key : {"_meta", "inputResponses", "requestState"}) params.erase(key);
  return {{"method", request.method}, {"params", std::move(params)}};
}

}  // namespace

Json missing_capabilities(const Json& wanted, const Json& declared) {
  Json missing = Json::object();
  for (const auto& [name, value] : wanted.items()) {
    const auto found = declared.find(name);
    if (found == declared.end()) {
      missing[name] = value;
    } else if (value.is_object() && found->is_object()) {
      Json inner = missing_capabilities(value, *found);
      if (!inner.is_null()) missing[name] = std::move(inner);
    }
  }
  if (missing.empty()) return nullptr;
  return missing;
}

RpcError missing_capability(const Json& missing) {
  return {rpc::kMissingCapability,
          "this needs a client with " + to_text(missing),
          {{"requiredCapabilities", missing}}};
}

Json needed_capabilities(const std::vector<InputRequest>& requests) {
  Json needed = Json::object();
  for (const auto& request : requests) {
    // "elicitation/create" needs "elicitation".
    needed[request.method.substr(0, request.method.find('/'))] = Json::object();
  }
  return needed;
}

std::variant<Inputs, RpcError> read_inputs(const Request& request, const RequestState& states) {
  Inputs inputs;
  if (const auto state = request.params.find("requestState"); state != request.params.end()) {
    if (!state->is_string()) return invalid_params("params.requestState: must be a string");
    auto content = states.open(bound_part(request), state->get_ref<const std::string&>());
    if (!content) {
      return invalid_params(
          "params.requestState: not given out for this request, or too old: repeat the call "
          "without it");
    }
    inputs.state = std::move((*content)["state"]);
    inputs.responses = (*content)["responses"].get<std::map<std::string, Json>>();
  }
  const auto responses = request.params.find("inputResponses");
  if (responses == request.params.end()) return inputs;
  if (!responses->is_object()) return invalid_params("params.inputResponses: must be an object");
  for (const auto& [key, response] : responses->items()) {
    if (!response.is_object()) {
      return invalid_params("params.inputResponses." + display(key) + ": must be an object");
    }
    inputs.responses[key] = response;
  }
  return inputs;
}

Json request_map(const std::vector<InputRequest>& requests) {
  Json map = Json::object();
  for (const auto& request : requests) {
    map[request.key] = {{"method", request.method}, {"params", request.params}};
  }
  return map;
}

std::string input_required_members(const Request& request, const InputRequired& required,
                                   const Inputs& inputs, const RequestState& states) {
  std::string members = "\"inputRequests\":" + to_text(request_map(required.requests));
  if (!required.state.is_null() || !inputs.responses.empty()) {
    const Json state{{"state", required.state}, {"responses", inputs.responses}};
    members += ",\"requestState\":" + to_text(Json(states.seal(bound_part(request), state)));
  }
  return members;
}

void Round::take(const std::string& key, Result<Json> answer) {
  if (!answer.ok()) return fail(std::move(answer).error());
  Done done;
  std::function<void()> then;
  std::map<std::string, Json> all;
  {
    const MutexLock lock(mutex_);
    if (!done_ || !answers_.emplace(key, *std::move(answer)).second || --missing_ > 0) return;
    done = std::exchange(done_, nullptr);
    then = std::exchange(then_, nullptr);
    all = std::move(answers_);
  }
  if (then) then();
  done(std::move(all));
}

void Round::fail(Error error) {
  Done done;
  std::function<void()> then;
  {
    const MutexLock lock(mutex_);
    done = std::exchange(done_, nullptr);
    then = std::exchange(then_, nullptr);
  }
  if (then) then();
  if (done) done(std::move(error));
}

void Round::drop() {
  Done dropped;
  std::function<void()> then;
  {
    const MutexLock lock(mutex_);
    dropped = std::exchange(done_, nullptr);
    then = std::exchange(then_, nullptr);
  }
  if (then) then();
}

void Round::on_end(std::function<void()> then) {
  {
    const MutexLock lock(mutex_);
    if (done_) {
      then_ = std::move(then);
      return;
    }
  }
  then();
}

std::vector<std::string> ask_legacy(const TurnPtr& turn, const std::vector<InputRequest>& requests,
                                    const std::shared_ptr<Round>& round) {
  // The round owns the turn, and that the session with its questions: they must not own it in turn.
  const std::weak_ptr<Round> late_round = round;
  std::vector<std::string> asked;
  asked.reserve(requests.size());
  for (const auto& request : requests) {
    asked.push_back(turn->session->ask(
        request.method, request.params,
        [&](const std::string& message) { return turn->send(message); },
        [late_round, key = request.key](Result<Json> answer) {
          if (const auto its_round = late_round.lock()) its_round->take(key, std::move(answer));
        }));
  }
  // Neither may the token, which is the turn's own.
  turn->cancel.on_cancel([late_turn = std::weak_ptr(turn), late_round] {
    if (const auto its_turn = late_turn.lock()) its_turn->finish({});
    if (const auto its_round = late_round.lock()) its_round->drop();
  });
  return asked;
}

}  // namespace quiver::mcp
