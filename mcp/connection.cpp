#include "mcp/connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/mutex.h"
#include "mcp/batch.h"
#include "mcp/session.h"

namespace quiver::mcp {

/// What one line asks for: a request, or those of a batch, which are answered together.
struct Connection::Job {
  struct Item {
    Request request;
    CancelToken cancel;
    /// Of a request that Session knows.
    bool in_flight = false;
  };

  bool batch = false;
  std::vector<Item> items;
  /// To what was wrong with some messages of the batch.
  std::vector<std::string> replies;
  std::size_t bytes = 0;
  const Revision* revision = nullptr;
};

/// What jobs need; they may outlive the Connection.
struct Connection::State {
  const Server& server;
  Transport& transport;
  Session session;
  Mutex mutex;
  CondVar changed;
  std::size_t jobs QV_GUARDED_BY(mutex) = 0;
  std::size_t bytes QV_GUARDED_BY(mutex) = 0;

  State(const Server& its_server, Transport& its_transport)
      : server(its_server), transport(its_transport) {}

  void send(std::string_view message) {
    if (transport.write(message).ok()) return;
    // Nobody reads: nothing that is under way has a purpose any more.
    session.cancel_all();
    transport.finish();
  }

  bool admit(std::size_t job_bytes, std::size_t bytes_max) QV_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    if (jobs > 0 && bytes + job_bytes > bytes_max) return false;
    ++jobs;
    bytes += job_bytes;
    return true;
  }

  void release(std::size_t job_bytes) QV_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    --jobs;
    bytes -= job_bytes;
    changed.notify_all();
  }

  bool wait_idle(std::chrono::milliseconds time) QV_EXCLUDES(mutex) {
    const auto until = std::chrono::steady_clock::now() + time;
    const MutexLock lock(mutex);
    while (jobs > 0) {
      if (!changed.wait_until(mutex, until)) return jobs == 0;
    }
    return true;
  }

  /// Answers a job; `busy`, if there is one, in place of its tool calls.
  void run(Job& job, const Error* busy) {
    std::vector<std::string> replies = std::move(job.replies);
    for (auto& item : job.items) {
      const Exchange exchange{*job.revision, item.cancel,
                              [this](const std::string& message) { transport.offer(message); }};
      Reply reply = busy == nullptr ? server.answer(item.request, exchange)
                                    : server.turn_down(item.request, exchange, *busy);
      if (reply.agreed != nullptr) session.agree(*reply.agreed);
      const bool wanted = !item.in_flight || session.finish(item.request.id);
      if (wanted) replies.push_back(std::move(reply.text));
    }
    if (replies.empty()) return;
    send(job.batch ? batch_reply(replies) : replies.front());
  }
};

Connection::Connection(const Server& server, Transport& transport, Submit submit,
                       const ConnectionOptions& options)
    : state_(std::make_shared<State>(server, transport)),
      transport_(transport),
      submit_(std::move(submit)),
      options_(options) {}

Status Connection::run() {
  Status outcome = Done{};
  for (;;) {
    auto text = transport_.read();
    if (!text.ok() && text.error().code == ErrorCode::ResourceExhausted) {
      state_->send(
          error_reply(Json(nullptr), {rpc::kInvalidRequest, std::move(text).error().message}));
      continue;
    }
    if (!text.ok()) {
      outcome = std::move(text).error();
      break;
    }
    if (!*text) break;
    receive(*std::move(*text));
  }
  drain();
  return outcome;
}

void Connection::receive(std::string text) {
  const std::size_t bytes = text.size();
  auto json = read_json(text);
  std::string().swap(text);
  if (const auto* fault = std::get_if<Fault>(&json)) return state_->send(error_reply(*fault));
  auto& root = std::get<Json>(json);
  if (root.is_array()) return receive_batch(std::move(root), bytes);
  auto message = read_message(std::move(root));
  if (const auto* fault = std::get_if<Fault>(&message)) return state_->send(error_reply(*fault));
  Job job;
  job.bytes = bytes;
  take(std::move(std::get<Message>(message)), job);
  dispatch(std::move(job));
}

void Connection::receive_batch(Json messages, std::size_t bytes) {
  if (auto fault = batch_fault(messages, state_->session.revision())) {
    return state_->send(error_reply(*fault));
  }
  Job job;
  job.batch = true;
  job.bytes = bytes;
  for (auto& json : messages) {
    auto message = read_batched(std::move(json));
    if (const auto* fault = std::get_if<Fault>(&message)) {
      job.replies.push_back(error_reply(*fault));
    } else {
      take(std::move(std::get<Message>(message)), job);
    }
  }
  dispatch(std::move(job));
}

void Connection::take(Message message, Job& job) {
  if (auto* notification = std::get_if<Notification>(&message)) {
    if (notification->method == "notifications/cancelled") {
      const auto id = notification->params.find("requestId");
      if (id != notification->params.end()) state_->session.cancel(*id);
    } else {
      QV_LOG_DEBUG("mcp.notification_ignored method={}", display(notification->method));
    }
    return;
  }
  auto* request = std::get_if<Request>(&message);
  // The server asks nothing, so it is owed no answers.
  if (request == nullptr) return;
  Job::Item item;
  if (Server::runs_long(*request)) {
    auto token = state_->session.begin(request->id);
    if (!token) {
      // Under the id itself it would be taken for the answer that is still to come.
      job.replies.push_back(error_reply(
          Json(nullptr),
          {rpc::kInvalidRequest, "id " + to_text(request->id) + " is already in flight"}));
      return;
    }
    item.cancel = *std::move(token);
    item.in_flight = true;
  }
  item.request = std::move(*request);
  job.items.push_back(std::move(item));
}

void Connection::dispatch(Job job) {
  job.revision = &state_->session.revision();
  const bool is_long = std::any_of(job.items.begin(), job.items.end(),
                                   [](const Job::Item& item) { return item.in_flight; });
  if (!is_long) return state_->run(job, nullptr);
  const std::size_t bytes = job.bytes;
  if (!state_->admit(bytes, options_.bytes_in_flight_max)) {
    const Error busy{ErrorCode::ResourceExhausted,
                     "too much is in flight: wait for earlier calls, then repeat this one"};
    return state_->run(job, &busy);
  }
  // std::function wants a copyable closure.
  const auto shared = std::make_shared<Job>(std::move(job));
  const Status submitted = submit_([state = state_, shared] {
    state->run(*shared, nullptr);
    state->release(shared->bytes);
  });
  if (submitted.ok()) return;
  state_->run(*shared, &submitted.error());
  state_->release(bytes);
}

void Connection::drain() {
  transport_.finish();
  if (state_->wait_idle(options_.drain)) return;
  QV_LOG_WARN("mcp.drain_cancels after_ms={}", options_.drain.count());
  state_->session.cancel_all();
  if (!state_->wait_idle(options_.drain)) {
    QV_LOG_WARN("mcp.drain_gave_up after_ms={}", options_.drain.count());
  }
}

}  // namespace quiver::mcp
