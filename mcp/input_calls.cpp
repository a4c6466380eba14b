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
    if (const auto task = turn->task()) ask_in_task(task, required, std::move(done));
    return;
  }
  if (required.requests.empty()) return done(std::map<std::string, Json>{});
  wait_for_answers(turn, required, std::move(done));
}

void Server::ask_in_task(const std::shared_ptr<Task>& task, const InputRequired& required,
                         Round::Done done) const {
  tasks_.ask(*task, required.requests, std::move(done));
  // Perhaps nobody ever asks about it again.
  deadlines_.after(options_.tasks.life, [this, late = std::weak_ptr<Task>(task)] {
    if (const auto waiting = late.lock()) tasks_.give_up(*waiting);
  });
}

void Server::wait_for_answers(const TurnPtr& turn, const InputRequired& required,
                              Round::Done done) const {
  const auto round = std::make_shared<Round>(required.requests.size(), std::move(done));
  auto asked = ask_legacy(turn, required.requests, round);
  // This alone owns what waits, and so the call: it lives no longer, whatever becomes of its
  // session.
  const auto timer = deadlines_.after(options_.ask_timeout, [round] {
    round->fail({ErrorCode::DeadlineExceeded, "the client did not answer in time"});
  });
  round->on_end([this, timer, asked = std::move(asked), late = std::weak_ptr(turn->session)] {
    deadlines_.cancel(timer);
    const auto session = late.lock();
    if (!session) return;
    for (const auto& id : asked) session->forget(id);
  });
}

}  // namespace quiver::mcp
