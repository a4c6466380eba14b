#include "mcp/connection.h"

#include <utility>
#include <variant>

#include "core/log.h"
#include "core/mutex.h"
#include "mcp/batch.h"
#include "mcp/session.h"

namespace quiver::mcp {

/// What requests under way need; they may outlive the Connection.
struct Connection::State {
  const Server& server;
  Transport& transport;
  const std::shared_ptr<Session> session = std::make_shared<Session>();
  Mutex mutex;
  CondVar changed;
  std::size_t ways QV_GUARDED_BY(mutex) = 0;
  std::size_t bytes QV_GUARDED_BY(mutex) = 0;

  State(const Server& its_server, Transport& its_transport)
      : server(its_server), transport(its_transport) {
    session->set_push([this](const std::string& message) {
      return transport.offer(message) ? Told::Yes : Told::Later;
    });
  }
  ~State() { session->set_push(nullptr); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool send(std::string_view message) {
    if (transport.write(message).ok()) return true;
    // Nobody reads: nothing that is under way has a purpose any more.
    session->end();
    session->cancel_all();
    transport.finish();
    return false;
  }

  bool wait_idle(std::chrono::milliseconds time) QV_EXCLUDES(mutex) {
    const auto until = std::chrono::steady_clock::now() + time;
    const MutexLock lock(mutex);
    while (ways > 0) {
      if (!changed.wait_until(mutex, until)) return ways == 0;
    }
    return true;
  }
};

/// The way back for what one line asks for. While there is one, the line counts as in flight.
class Connection::Way final : public Outlet {
 public:
  Way(std::shared_ptr<State> state, std::size_t bytes) : state_(std::move(state)), bytes_(bytes) {
    const MutexLock lock(state_->mutex);
    ++state_->ways;
    state_->bytes += bytes_;
  }
  ~Way() override {
    const MutexLock lock(state_->mutex);
    --state_->ways;
    state_->bytes -= bytes_;
    state_->changed.notify_all();
  }
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;

  bool tell(const std::string& message) override { return state_->transport.offer(message); }
  bool send(const std::string& message) override { return state_->send(message); }
  void reply(Reply reply) override {
    if (!reply.text.empty()) state_->send(reply.text);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::size_t bytes_;
};

Connection::Connection(const Server& server, Transport& transport, const ConnectionOptions& options)
    : state_(std::make_shared<State>(server, transport)),
      transport_(transport),
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
  if (const auto* fault = std::get_if<Fault>(&json)) return (void)state_->send(error_reply(*fault));
  auto& root = std::get<Json>(json);
  if (root.is_array()) return receive_batch(std::move(root), bytes);
  auto message = read_message(std::move(root));
  if (const auto* fault = std::get_if<Fault>(&message))
    return (void)state_->send(error_reply(*fault));
  take(std::move(std::get<Message>(message)), bytes, std::make_shared<Way>(state_, bytes));
}

void Connection::receive_batch(Json messages, std::size_t bytes) {
  if (auto fault = batch_fault(messages, state_->session->revision())) {
    return (void)state_->send(error_reply(*fault));
  }
  const auto batch = std::make_shared<Batch>(std::make_shared<Way>(state_, bytes));
  for (auto& json : messages) {
    auto message = read_batched(std::move(json));
    if (const auto* fault = std::get_if<Fault>(&message)) {
      batch->add(error_reply(*fault));
    } else {
      take(std::move(std::get<Message>(message)), bytes, std::make_shared<BatchOutlet>(batch));
    }
  }
}

void Connection::take(Message message, std::size_t bytes, std::shared_ptr<Outlet> outlet) {
  if (const auto* notification = std::get_if<Notification>(&message)) {
    return state_->server.notice(*notification, *state_->session);
  }
  if (const auto* response = std::get_if<Response>(&message)) {
    return state_->session->resolve(*response);
  }
  bool room = true;
  {
    const MutexLock lock(state_->mutex);
    room = state_->bytes == bytes || state_->bytes <= options_.bytes_in_flight_max;
  }
  auto& request = std::get<Request>(message);
  Exchange exchange{state_->session, std::move(outlet)};
  if (room) return state_->server.handle(std::move(request), std::move(exchange));
  const Error busy{ErrorCode::ResourceExhausted,
                   "too much is in flight: wait for earlier calls, then repeat this one"};
  state_->server.turn_down(std::move(request), std::move(exchange), busy);
}

void Connection::drain() {
  transport_.finish();
  state_->session->end();
  state_->server.end_listens(*state_->session);
  if (state_->wait_idle(options_.drain)) return;
  QV_LOG_WARN("mcp.drain_cancels after_ms={}", options_.drain.count());
  for (const Json& id : state_->session->give_up_all()) {
    state_->send(error_reply(
        id, {rpc::kInternalError,
             "the input ended while this call ran, and it took too long: it was given up. Whether "
             "a write took effect is not known"}));
  }
  if (!state_->wait_idle(options_.drain)) {
    QV_LOG_WARN("mcp.drain_gave_up after_ms={}", options_.drain.count());
  }
}

}  // namespace quiver::mcp
