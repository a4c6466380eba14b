#include "mcp/tasks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/ids.h"
#include "service/time_text.h"

namespace quiver::mcp {
namespace {

constexpr std::array<const char*, 5> kStatusNames{"working", "input_required", "completed",
                                                  "failed", "cancelled"};
constexpr std::int64_t kAfterEndMs = 60'000;

bool has_ended(Task::Status status) {
  return status != Task::Status::Working && status != Task::Status::InputRequired;
}

}  // namespace

std::shared_ptr<Task> Tasks::create(CancelToken cancel) {
  auto task =
      std::make_shared<Task>(RequestId::random().hex(), clock_.wall_ms(), std::move(cancel));
  const MutexLock lock(mutex_);
  sweep();
  if (tasks_.size() >= options_.tasks_max) return nullptr;
  tasks_[task->id] = task;
  return task;
}

void Tasks::discard(const Task& task) {
  const MutexLock lock(mutex_);
  tasks_.erase(task.id);
}

std::shared_ptr<Task> Tasks::find(const std::string& id) {
  const MutexLock lock(mutex_);
  sweep();
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : found->second;
}

void Tasks::sweep() {
  const std::int64_t now = clock_.wall_ms();
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    const auto task = it->second;
    bool gone = false;
    bool unanswered = false;
    {
      const MutexLock lock(task->mutex);
      const bool old = now >= task->created_ms + options_.life.count();
      gone = old && has_ended(task->status) && now >= task->updated_ms + kAfterEndMs;
      unanswered = old && task->status == Task::Status::InputRequired;
    }
    // Nobody is there who answers; the call must not wait for ever.
    if (unanswered) cancel(*task);
    it = gone ? tasks_.erase(it) : std::next(it);
  }
}

void Tasks::cancel_all() {
  std::vector<std::shared_ptr<Task>> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, task] : tasks_) all.push_back(task);
  }
  for (const auto& task : all) cancel(*task);
}

void Tasks::end(Task& task, Task::Status status, std::string outcome) const {
  std::shared_ptr<Round> round;
  {
    const MutexLock lock(task.mutex);
    if (has_ended(task.status)) return;
    task.status = status;
    task.outcome = std::move(outcome);
    task.updated_ms = clock_.wall_ms();
    task.open.clear();
    round.swap(task.round);
  }
  if (round) round->drop();
  tell_of(task);
}

void Tasks::complete(Task& task, std::string result) const {
  end(task, Task::Status::Completed, std::move(result));
}

void Tasks::fail(Task& task, const RpcError& error) const {
  end(task, Task::Status::Failed, to_text({{"code", error.code}, {"message", error.message}}));
}

void Tasks::cancel(Task& task) const {
  task.cancel.cancel();
  end(task, Task::Status::Cancelled, "");
}

void Tasks::give_up(Task& task) const {
  {
    const MutexLock lock(task.mutex);
    if (task.status != Task::Status::InputRequired) return;
  }
  cancel(task);
}

void Tasks::tell(Task& task, std::string message) const {
  {
    const MutexLock lock(task.mutex);
    if (task.status != Task::Status::Working) return;
    task.status_message = std::move(message);
    task.updated_ms = clock_.wall_ms();
  }
  tell_of(task);
}

void Tasks::ask(Task& task, const std::vector<InputRequest>& requests, Round::Done done) const {
  {
    const MutexLock lock(task.mutex);
    if (has_ended(task.status)) return;
    task.status = Task::Status::InputRequired;
    task.updated_ms = clock_.wall_ms();
    task.round = std::make_shared<Round>(requests.size(), std::move(done));
    for (const auto& request : requests) task.open[request.key] = request;
  }
  tell_of(task);
}

void Tasks::answer(Task& task, const Json& responses) const {
  std::shared_ptr<Round> round;
  std::vector<std::string> answered;
  {
    const MutexLock lock(task.mutex);
    if (task.status != Task::Status::InputRequired) return;
    for (const auto& [key, response] : responses.items()) {
      if (task.open.erase(key) > 0) answered.push_back(key);
    }
    if (answered.empty()) return;
    task.updated_ms = clock_.wall_ms();
    round = task.round;
    if (task.open.empty()) {
      task.status = Task::Status::Working;
      task.round = nullptr;
    }
  }
  tell_of(task);
  for (const auto& key : answered) round->take(key, responses[key]);
}

Json Tasks::summary(const Task& task) const {
  Json json{{"taskId", task.id},
            {"status", kStatusNames.at(static_cast<std::size_t>(task.status))},
            {"createdAt", service::rfc3339(task.created_ms)},
            {"lastUpdatedAt", service::rfc3339(task.updated_ms)},
            {"ttlMs", options_.life.count()},
            {"pollIntervalMs", options_.poll_interval.count()}};
  if (!task.status_message.empty()) json["statusMessage"] = task.status_message;
  return json;
}

std::string Tasks::created_members(Task& task) const {
  const MutexLock lock(task.mutex);
  const std::string object = to_text(summary(task));
  return object.substr(1, object.size() - 2);
}

std::string Tasks::detailed_members(Task& task) const {
  const MutexLock lock(task.mutex);
  const std::string object = to_text(summary(task));
  std::string members = object.substr(1, object.size() - 2);
  if (task.status == Task::Status::InputRequired) {
    std::vector<InputRequest> open;
    for (const auto& [key, request] : task.open) open.push_back(request);
    members += ",\"inputRequests\":" + to_text(request_map(open));
  }
  if (task.status == Task::Status::Completed) members += ",\"result\":" + task.outcome;
  if (task.status == Task::Status::Failed) members += ",\"error\":" + task.outcome;
  return members;
}

}  // namespace quiver::mcp
