#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mcp/hub.h"
#include "mcp/server.h"

/// A server that offers one of everything, and a peer that asks it of each revision.
namespace quiver::mcp::test {

/// Two pages of resources, one of them with every field that any revision has.
class FakeResources final : public Resources {
 public:
  Result<ResourcePage> list(Call& call, const std::optional<std::string>& cursor) override;
  Json templates() const override;
  std::optional<Outcome<ResourceContents>> read(Call& call, const std::string& uri) override;
  bool can_subscribe(const std::string& uri) const override;
};

/// greet(who*, tone) says hello to `who`; broken fails; asks wants input; throws throws.
Offer featured_offer(std::shared_ptr<Hub> hub = std::make_shared<Hub>());

struct Featured {
  std::shared_ptr<Hub> hub = std::make_shared<Hub>();
  Server server;
  std::shared_ptr<Session> session = std::make_shared<Session>(*find_revision("2025-11-25"));

  Featured();
  explicit Featured(Offer offer);

  /// Under a legacy revision, or under 2026-07-28 with its metadata. The whole reply.
  Json ask(const std::string& version, const std::string& method, Json params = Json::object());
};

/// What an outlet was given, in order.
class KeepingOutlet final : public Outlet {
 public:
  bool tell(const std::string& message) override;
  bool send(const std::string& message) override { return tell(message); }
  void reply(Reply reply) override;

  /// From here on nothing but the reply is taken; or everything again.
  void refuse(bool refuses);
  /// Waits until there are `count` messages, a reply included.
  std::vector<Json> wait(std::size_t count);
  std::vector<Json> messages() const;
  bool replied() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
  bool refuses_ = false;
  bool replied_ = false;
};

std::set<std::string> keys_of(const Json& object);

}  // namespace quiver::mcp::test
