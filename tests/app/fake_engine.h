#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <signal.h>
#include <unistd.h>

#include "app/lazy_executor.h"
#include "service/executor.h"

namespace quiver::app {

/// Stands for the data: keeps what was stored in a file, once for each request id, and leaves marks
/// in its directory that tell a test what happened in which process.
class FakeEngine final : public service::Executor {
 public:
  explicit FakeEngine(std::filesystem::path dir) : dir_(std::move(dir)) { mark("opened"); }
  ~FakeEngine() override { mark("closed"); }

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    if (operation == "echo") {
      return Json{{"pid", ::getpid()}, {"arguments", arguments}, {"id", call.request_id.hex()}};
    }
    if (operation == "store") return store(call, arguments);
    if (operation == "change") {
      changes_.publish({service::Change::Kind::PointsChanged, arguments.at("collection")});
      return Json::object();
    }
    if (operation == "wait") return wait(call, arguments.at("name").get<std::string>());
    if (operation == "big") return Json(std::string(arguments.at("bytes").get<std::size_t>(), 'x'));
    if (operation == "count") return count(call, arguments.at("to").get<std::uint64_t>());
    if (operation == "throw") throw std::runtime_error("thrown on purpose");
    if (operation == "not_utf8") return Json("\xff");
    if (operation == "die") ::kill(::getpid(), SIGKILL);
    return Error{ErrorCode::NotFound, "operation " + std::string(operation) + " is unknown"};
  }

  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return changes_.subscribe(std::move(listener));
  }

  static bool exists(const std::filesystem::path& file) {
    std::error_code ignored;
    return std::filesystem::exists(file, ignored);
  }

 private:
  /// Appends to `attempts` always, to `effects` once for each request id; then dies once if
  /// `die_mark` is named.
  Result<Json> store(const CallContext& call, const Json& arguments) {
    const std::lock_guard lock(mutex_);
    const std::string id = call.request_id.hex();
    append("attempts", id);
    std::set<std::string> known;
    std::ifstream effects(dir_ / "effects");
    for (std::string line; std::getline(effects, line);) known.insert(line);
    if (known.count(id) == 0) append("effects", id);
    if (arguments.contains("die_mark")) {
      const auto file = dir_ / arguments.at("die_mark").get<std::string>();
      if (!exists(file)) {
        std::ofstream(file) << ::getpid();
        ::kill(::getpid(), SIGKILL);
      }
    }
    return Json{{"stored", id}};
  }

  /// Until the file `name` appears in the directory, or the caller gives up.
  Result<Json> wait(const CallContext& call, const std::string& name) {
    std::ofstream(dir_ / (name + ".started")) << ::getpid();
    while (!exists(dir_ / name)) {
      if (const Status status = call.check(); !status.ok()) {
        std::ofstream(dir_ / (name + ".given_up")) << status.error().message;
        return status.error();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return Json{{"waited", name}, {"pid", ::getpid()}};
  }

  static Result<Json> count(const CallContext& call, std::uint64_t to) {
    for (std::uint64_t i = 1; call.progress && i <= to; ++i) {
      call.progress(i, to, "step " + std::to_string(i));
    }
    return Json{{"counted", to}};
  }

  void append(const std::string& name, const std::string& line) {
    std::ofstream(dir_ / name, std::ios::app) << line << "\n";
  }
  void mark(const std::string& what) {
    std::ofstream(dir_ / (what + "." + std::to_string(::getpid()))) << "\n";
  }

  std::filesystem::path dir_;
  service::ChangeHub changes_;
  std::mutex mutex_;
};

inline ExecutorFactory fake_engine(const std::filesystem::path& dir) {
  return [dir]() -> Result<std::unique_ptr<service::Executor>> {
    return std::unique_ptr<service::Executor>(std::make_unique<FakeEngine>(dir));
  };
}

}  // namespace quiver::app
