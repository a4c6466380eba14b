#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mcp/operation_tools.h"
#include "mcp/product_offer.h"
#include "mcp/server.h"
#include "mcp/transport.h"

/// A small server with operations of its own, and a peer that speaks to it from memory.
namespace quiver::mcp::test {

/// Long enough for any machine; a test that waits this long has failed.
inline constexpr std::chrono::seconds kPatience{20};

/// A door that threads wait at.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Waits until it opens or `call` is over.
  Status pass(const CallContext& call) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    while (!open_) {
      if (auto over = call.check(); !over.ok()) return over;
      changed_.wait_for(lock, std::chrono::milliseconds(2));
    }
    return Done{};
  }
  /// Whether `count` threads have come to it.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::size_t waiting_ = 0;
};

/// Carries out what a test gives it.
class FakeExecutor final : public service::Executor {
 public:
  using Run = std::function<Result<Json>(const CallContext&, const Json&)>;

  void on(const std::string& name, Run run) { runs_[name] = std::move(run); }
  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    const auto found = runs_.find(std::string(operation));
    if (found == runs_.end()) return Error{ErrorCode::NotFound, "no such operation"};
    return found->second(call, arguments);
  }

 private:
  std::map<std::string, Run> runs_;
};

service::Operation operation(const std::string& name, service::Access access,
                             service::Effects effects = {});

/// One that surfaces use for themselves.
service::Operation internal_operation(const std::string& name);

/// echo returns its arguments; store writes; drop destroys; hold waits at `gate`; fail fails; steps
/// reports progress 1 to 3 of 3.
struct World {
  World();

  FakeExecutor executor;
  Gate gate;
  service::Registry registry;
  ServerOptions options;
  /// As `store` saw it.
  CallContext stored;

  /// Its operations as the tools of a server.
  Offer offer(std::size_t result_bytes_max = std::size_t{8} << 20);
};

/// Carries work out on the thread that submits it.
Status inline_work(const std::function<void()>& work);

/// The reply to a request whose work is inline; empty text if there was none.
Reply answer(const Server& server, Request request, std::shared_ptr<Session> session,
             const Error* busy = nullptr);

/// A peer in memory: what it says is queued, what it hears is kept.
class MemoryTransport final : public Transport {
 public:
  void say(std::string message);
  /// Says no more.
  void close();
  /// From here on writes fail.
  void hang_up();

  /// The first `count` messages that came, in order; fewer if they do not come.
  std::vector<Json> heard(std::size_t count);
  std::vector<std::string> raw();

  Result<std::optional<std::string>> read() override;
  Status write(std::string_view message) override;
  bool offer(std::string_view message) override { return write(message).ok(); }
  void finish() noexcept override { close(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> said_;
  std::vector<std::string> heard_;
  bool closed_ = false;
  bool hung_up_ = false;
};

/// A request in JSON text. `params` may be null: then there are none.
std::string request(const Json& id, const std::string& method, Json params = nullptr);
/// With the metadata that makes it a modern one.
std::string modern(const Json& id, const std::string& method, Json params = Json::object());
Json modern_meta();

/// Reads a text that must be one JSON value.
Json parsed(const std::string& text);

}  // namespace quiver::mcp::test
