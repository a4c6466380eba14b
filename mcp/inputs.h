#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/mutex.h"
#include "mcp/call.h"
#include "mcp/request_state.h"
#include "mcp/turn.h"

/// What calls ask of the client, and what it answers.
namespace quiver::mcp {

/// Times that one call may ask: a handler that never has enough is at fault.
inline constexpr int kRoundsMax = 32;

/// The part of ClientCapabilities that `wanted` has and `declared` has not; null: nothing is
/// missing.
Json missing_capabilities(const Json& wanted, const Json& declared);

/// The error of a modern request whose client lacks them.
RpcError missing_capability(const Json& missing);

/// ClientCapabilities that a client needs to be asked all of `requests`.
Json needed_capabilities(const std::vector<InputRequest>& requests);

/// What the params of a modern request bring along: inputResponses and requestState. An error is
/// -32602.
std::variant<Inputs, RpcError> read_inputs(const Request& request, const RequestState& states);

/// Members of a modern result that asks: resultType, inputRequests, requestState. What was answered
/// before goes into the state, so that the client need not repeat it.
std::string input_required_members(const Request& request, const InputRequired& required,
                                   const Inputs& inputs, const RequestState& states);

/// InputRequest objects by key.
Json request_map(const std::vector<InputRequest>& requests);

/// The answers to one round of requests, until they are all there.
///
/// Threads: any.
class Round {
 public:
  using Done = std::function<void(Result<std::map<std::string, Json>> answers)>;

  /// `done` is called once, when `count` answers are there or the first has failed; it must not
  /// block.
  Round(std::size_t count, Done done) : missing_(count), done_(std::move(done)) {}

  void take(const std::string& key, Result<Json> answer) QV_EXCLUDES(mutex_);
  /// No answer is waited for any more.
  void fail(Error error) QV_EXCLUDES(mutex_);
  /// `done` is let go of without a call.
  void drop() QV_EXCLUDES(mutex_);

  /// `then` is called once, as soon as no answer is waited for any more, and before `done`; at once
  /// if none is. There is one at most; it must not block.
  void on_end(std::function<void()> then) QV_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::size_t missing_ QV_GUARDED_BY(mutex_);
  std::map<std::string, Json> answers_ QV_GUARDED_BY(mutex_);
  /// Null: no answer is waited for any more.
  Done done_ QV_GUARDED_BY(mutex_);
  std::function<void()> then_ QV_GUARDED_BY(mutex_);
};

/// Sends the requests of one round to the client of a legacy turn, and has the session give the
/// answers to the round for as long as that lives. The round is dropped if the turn is cancelled
/// meanwhile: it ends without a reply. Returns what the session knows the requests by.
///
/// Source: MCP 2025-11-25, client: elicitation, sampling, roots.
std::vector<std::string> ask_legacy(const TurnPtr& turn, const std::vector<InputRequest>& requests,
                                    const std::shared_ptr<Round>& round);

}  // namespace quiver::mcp
