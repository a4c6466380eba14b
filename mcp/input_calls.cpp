#include <utility>

#include "mcp/inputs.h"
#include "mcp/server.h"

namespace quiver::mcp {

bool Server::read_turn_inputs(const TurnPtr& turn) const {
  if (turn->revision->era == Era::Legacy) return true;
  auto inputs = read_inputs(turn->request, states_);
  if (const auto* error = std::get_if<RpcError>(&inputs)) {
    turn->finish(refusal(*turn, *error));
    return false;
  }
  turn->inputs = std::move(std::get<Inputs>(inputs));
  return true;
}

Round::Done Server::rerun(const TurnPtr& turn, const InputRequired& required,
                          std::function<void()> again,
                          std::function<void(const Error&)> failed) const {
  return [this, turn, state = required.state, again = std::move(again),
          failed = std::move(failed)](Result<std::map<std::string, Json>> answers) {
    if (!answers.ok()) return failed(answers.error());
    turn->inputs.state = state;
    for (auto& [key, answer] : *answers) turn->inputs.responses[key] = std::move(answer);
    if (const Status submitted = submit_(again); !submitted.ok()) failed(submitted.error());
  };
}

void Server::ask(const TurnPtr& turn, const InputRequired& required, std::function<void()> again,
                 std::function<void(const Error&)> failed) const {
  if (++turn->rounds > kRoundsMax) {
    return failed({ErrorCode::Internal, "the call asks without end"});
  }
  const bool legacy = turn->revision->era == Era::Legacy;
  const Json missing =
      missing_capabilities(needed_capabilities(required.requests), turn->capabilities);
  if (!missing.is_null()) {
    if (!legacy) {
      if (!turn->finish(refusal(*turn, missing_capability(missing)))) {
        fail(turn, missing_capability(missing));
      }
      return;
    }
    return failed({ErrorCode::FailedPrecondition,
                   "this needs a client that can be asked, with " + to_text(missing)});
  }
  auto done = rerun(turn, required, std::move(again), std::move(failed));
  if (!legacy) {
    const auto members = input_required_members(turn->request, required, turn->inputs, states_);
    if (turn->finish(result(*turn, "input_required", members))) return;
    if (const auto task = turn->task()) tasks_.ask(*task, required.requests, std::move(done));
    return;
  }
  if (required.requests.empty()) return done(std::map<std::string, Json>{});
  const auto round = ask_legacy(turn, required.requests, std::move(done));
  deadlines_.after(options_.ask_timeout, [late = std::weak_ptr<Round>(round)] {
    if (const auto waiting = late.lock()) {
      waiting->fail({ErrorCode::DeadlineExceeded, "the client did not answer in time"});
    }
  });
}

}  // namespace quiver::mcp
