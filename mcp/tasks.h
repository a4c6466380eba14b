#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/call_context.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "core/result.h"
#include "mcp/call.h"
#include "mcp/inputs.h"
#include "mcp/json_rpc.h"

namespace quiver::mcp {

/// The extension's name among ClientCapabilities and ServerCapabilities.
inline constexpr const char* kTasksExtension = "io.modelcontextprotocol/tasks";

struct TasksOptions {
  /// How long a task can be asked about, from its creation; and at least a minute from its end.
  std::chrono::milliseconds life{600'000};
  /// How often a client should ask.
  std::chrono::milliseconds poll_interval{500};
  std::size_t tasks_max = 1000;
};

/// A call that goes on after its client was answered, and is asked about by id.
///
/// working -> completed | failed | cancelled; working <-> input_required.
///
/// Threads: any.
struct Task {
  enum class Status { Working, InputRequired, Completed, Failed, Cancelled };

  Task(std::string its_id, std::int64_t now_ms, CancelToken its_cancel)
      : id(std::move(its_id)), created_ms(now_ms), cancel(std::move(its_cancel)) {}

  /// Knowing it is the right to ask: 128 random bits.
  const std::string id;
  const std::int64_t created_ms;
  const CancelToken cancel;

  Mutex mutex;
  Status status QV_GUARDED_BY(mutex) = Status::Working;
  std::string status_message QV_GUARDED_BY(mutex);
  std::int64_t updated_ms QV_GUARDED_BY(mutex) = created_ms;
  /// Of status InputRequired: what is still to be answered, by key.
  std::map<std::string, InputRequest> open QV_GUARDED_BY(mutex);
  std::shared_ptr<Round> round QV_GUARDED_BY(mutex);
  /// Of status Completed: JSON text of the result. Of Failed: of the error.
  std::string outcome QV_GUARDED_BY(mutex);
};

/// The tasks of a server.
///
/// Threads: any.
///
/// Source: MCP extension io.modelcontextprotocol/tasks.
class Tasks {
 public:
  /// Called when what can be said of a task is different; must not block.
  using Changed = std::function<void(const std::string& id)>;

  /// Borrows the clock. `changed` may be null.
  Tasks(const Clock& clock, const TasksOptions& options, Changed changed = nullptr)
      : clock_(clock), options_(options), changed_(std::move(changed)) {}

  /// Null if there are too many.
  std::shared_ptr<Task> create(CancelToken cancel) QV_EXCLUDES(mutex_);
  /// As if it had never been.
  void discard(const Task& task) QV_EXCLUDES(mutex_);
  /// Null if there is none of that id, or none any more.
  std::shared_ptr<Task> find(const std::string& id) QV_EXCLUDES(mutex_);
  void cancel_all() QV_EXCLUDES(mutex_);

  /// Each changes a task that has not ended, and leaves one that has as it is.
  void complete(Task& task, std::string result) const;
  void fail(Task& task, const RpcError& error) const;
  void ask(Task& task, const std::vector<InputRequest>& requests, Round::Done done) const;
  void tell(Task& task, std::string message) const;
  void cancel(Task& task) const;
  /// Cancels one that waits for an answer; others go on.
  void give_up(Task& task) const;
  /// Answers to what ask() asked; others are ignored.
  void answer(Task& task, const Json& responses) const;

  /// Members of the result that says a call goes on as a task; and of the answer to tasks/get.
  std::string created_members(Task& task) const;
  std::string detailed_members(Task& task) const;

 private:
  void tell_of(const Task& task) const {
    if (changed_) changed_(task.id);
  }
  void end(Task& task, Task::Status status, std::string outcome) const;
  Json summary(const Task& task) const QV_REQUIRES(task.mutex);
  void sweep() QV_REQUIRES(mutex_);

  const Clock& clock_;
  const TasksOptions options_;
  const Changed changed_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Task>> tasks_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::mcp
