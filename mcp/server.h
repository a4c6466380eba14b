#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "mcp/deadlines.h"
#include "mcp/listens.h"
#include "mcp/offer.h"
#include "mcp/prompts.h"
#include "mcp/request_state.h"
#include "mcp/tasks.h"
#include "mcp/tools.h"
#include "mcp/turn.h"

namespace quiver::mcp {

/// Hands work to another thread. Errors: ResourceExhausted when too much waits already.
using Submit = std::function<Status(std::function<void()> work)>;

struct ServerOptions {
  /// How long a call may take before it is told to give up.
  std::chrono::milliseconds call_timeout{60'000};
  /// Least time between two progress notifications of one call.
  std::chrono::milliseconds progress_interval{100};
  /// How long a modern client may keep what tools/list and server/discover answered.
  std::chrono::milliseconds list_ttl{300'000};
  /// The same for what shows stored data: resources/list and resources/read.
  std::chrono::milliseconds data_ttl{1'000};
  /// How long a legacy client may take to answer what a call asks it; people think.
  std::chrono::milliseconds ask_timeout{600'000};
  /// After this time a call becomes a task, if its tool and its client allow.
  std::chrono::milliseconds task_after{2'000};
  /// How long such a call may take.
  std::chrono::milliseconds task_timeout{1'800'000};
  TasksOptions tasks = {};
  std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
};

/// Percent-encoded, our longest URI names a point of 512 bytes in a collection of 64.
inline constexpr std::size_t kUriBytesMax = 2048;

/// The MCP server: answers requests of every revision, each message by its own era.
///
/// Cheap requests are answered on the thread that brings them, so that a ping never waits behind a
/// search; the others go through `submit`, and their replies come in any order.
///
/// Knows no transports; those are Connection's and HttpEndpoint's.
///
/// Threads: any; unchanged after construction. Must outlive all work given to `submit`.
class Server {
 public:
  Server(Offer offer, Submit submit, const ServerOptions& options = {});

  /// What it offers; the same for as long as it lives.
  const Offer& offer() const noexcept { return offer_; }

  /// Answers a request by its outlet, before this returns or later.
  void handle(Request request, Exchange exchange) const;

  /// Answers without carrying out what may take long: a tool call fails with `busy`, in the form of
  /// its era; anything cheap is answered.
  void turn_down(Request request, Exchange exchange, const Error& busy) const;

  /// Takes note of what a client says without asking.
  void notice(const Notification& notification, Session& session) const;

  /// Ends the open subscriptions/listen of one session, and tells its client.
  void end_listens(const Session& session) const;

  /// Ends what goes on though its client does not wait: tasks, and every subscriptions/listen.
  void stop() const;

 private:
  struct Method;
  /// Null if this server does not offer it.
  const Method* find_method(std::string_view name) const;

  void start(Request request, Exchange exchange, const Error* busy) const;
  /// What is wrong with a request before its method looks at it; fills in what the turn says of the
  /// client.
  std::optional<Reply> classify(Turn& turn, const Method*& method) const;
  std::optional<Reply> classify_modern(Turn& turn, const Json* claimed, const Method* method) const;
  void run(const Method& method, const TurnPtr& turn) const;
  /// Makes a request one that can be cancelled. False, and the turn has ended, if its id is taken.
  bool begin(Turn& turn) const;

  void initialize(const TurnPtr& turn) const;
  void ping(const TurnPtr& turn) const;
  void discover(const TurnPtr& turn) const;
  void list_tools(const TurnPtr& turn) const;
  void call_tool(const TurnPtr& turn) const;
  void list_prompts(const TurnPtr& turn) const;
  void get_prompt(const TurnPtr& turn) const;
  void list_resources(const TurnPtr& turn) const;
  void list_templates(const TurnPtr& turn) const;
  void read_resource(const TurnPtr& turn) const;
  void complete_argument(const TurnPtr& turn) const;
  void set_log_level(const TurnPtr& turn) const;
  void subscribe(const TurnPtr& turn) const;
  void unsubscribe(const TurnPtr& turn) const;
  void listen(const TurnPtr& turn) const;

  /// What tells a session of changes, made if there is none yet. Errors: see Hub::subscribe.
  Result<std::shared_ptr<Subscription>> subscription_of(
      const std::shared_ptr<Session>& session) const;
  /// The notification of an event, for subscriptions/listen. Empty: there is nothing to tell any
  /// more.
  std::string change_text(const Event& event, const Json& meta) const;
  /// Ends an open subscriptions/listen with a result.
  void close_listen(Turn& turn, const Json& meta) const;

  void get_task(const TurnPtr& turn) const;
  void update_task(const TurnPtr& turn) const;
  void cancel_task(const TurnPtr& turn) const;
  /// Whether the client has the extension; ends the turn if not.
  bool knows_tasks(const TurnPtr& turn) const;
  /// The task that a request is about; null, and the turn has ended, if there is none for it.
  std::shared_ptr<Task> find_task(const TurnPtr& turn) const;

  /// What is wrong with a call before it is carried out; ends the turn then.
  bool admit_tool(const TurnPtr& turn, const Tool& tool) const;
  bool read_turn_inputs(const TurnPtr& turn) const;
  bool start_task(const TurnPtr& turn) const;
  void carry_out(const TurnPtr& turn, const Tool& tool, const Json& progress_token) const;
  Outcome<ToolResult> run_tool(const Tool& tool, Call& call) const;
  Call call_of(const TurnPtr& turn, const Json& arguments, const Json& progress_token) const;
  void finish_tool(const TurnPtr& turn, const ToolResult& result) const;
  void fail(const TurnPtr& turn, const RpcError& error) const;

  /// Asks the client what a handler cannot go on without, in the way of its era, and runs `again`
  /// on the lane with the answers in turn->inputs. `failed` is called instead if a legacy client
  /// cannot be asked, or does not answer.
  void ask(const TurnPtr& turn, const InputRequired& required, std::function<void()> again,
           std::function<void(const Error&)> failed) const;
  void ask_in_task(const std::shared_ptr<Task>& task, const InputRequired& required,
                   Round::Done done) const;
  /// Asks a legacy client, and calls `done` when it has answered, or too much time has passed.
  void wait_for_answers(const TurnPtr& turn, const InputRequired& required, Round::Done done) const;
  Round::Done rerun(const TurnPtr& turn, const InputRequired& required, std::function<void()> again,
                    std::function<void(const Error&)> failed) const;

  /// Carries out a call that is not one of a tool; `members` renders what it is for.
  template <typename T>
  void conclude(const TurnPtr& turn, Json arguments, Json progress_token,
                std::function<Outcome<T>(Call& call)> handler,
                std::function<std::string(const T& result)> members) const;

  /// A result of JSON text `members`, which may be empty.
  Reply complete(const Turn& turn, std::string_view members) const {
    return result(turn, "complete", members);
  }
  Reply result(const Turn& turn, std::string_view type, std::string_view members) const;
  /// JSON text that ends a list of what never changes, or a result that shows stored data.
  std::string_view static_hints(const Revision& revision) const noexcept;
  std::string_view data_hints(const Revision& revision) const noexcept;

  const Offer offer_;
  const Tools tools_;
  const Prompts prompts_;
  const Submit submit_;
  const ServerOptions options_;
  /// JSON text that every modern result has, and that marks a list.
  const std::string modern_meta_;
  const std::string cache_hints_;
  const std::string data_hints_;
  const RequestState states_;
  mutable Tasks tasks_;
  /// What it calls uses all of the above.
  mutable Deadlines deadlines_;
  /// Null if nothing ever changes.
  const std::unique_ptr<Listens> listens_;
};

/// What `revision` answers for a URI that nothing is at.
RpcError resource_not_found(const std::string& uri, const Revision& revision);

}  // namespace quiver::mcp
