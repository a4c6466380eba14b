#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/executor.h"

namespace quiver::mcp::test {

/// Collections in memory behind the operations that MCP reads them by, in the form that those give
/// their replies.
class FakeStore final : public service::Executor {
 public:
  struct Collection {
    std::string description = {};
    /// By id as JSON text.
    std::map<std::string, Json> points = {};
    Json fields = Json::array();
  };
  std::map<std::string, Collection> collections;
  /// What other operations answer.
  std::map<std::string, Json, std::less<>> answers;
  /// If set, everything fails with it.
  std::optional<Error> fault;
  /// Bytes of a text that one memory_get shows.
  std::size_t piece = 1000;
  /// Called once, after a reply that shows the first piece of a text.
  std::function<void()> after_first_piece;
  /// How often somebody waited to be told of changes.
  int follows = 0;
  /// What was asked, in order.
  std::vector<std::pair<std::string, Json>> asked;

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return hub_.subscribe(std::move(listener));
  }
  void follow() override { ++follows; }
  void tell(service::Change::Kind kind, const std::string& collection) {
    hub_.publish({kind, collection});
  }

 private:
  Result<Json> list(const Json& arguments);
  Result<Json> info(const std::string& name);
  Result<Json> get(const Json& arguments);
  Result<Json> search(const Json& arguments);
  Result<Json> scroll(const Json& arguments);
  Result<Json> complete(const Json& arguments);
  Result<Collection*> find(const Json& arguments);

  service::ChangeHub hub_;
};

}  // namespace quiver::mcp::test
