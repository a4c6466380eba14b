#include "thrift/client_pool.h"

#include <chrono>
#include <utility>
#include <vector>

#include "thrift/connection.h"

namespace quiver::thrift {

ClientPool::ClientPool(LocalNode self, Security security, const ClientOptions& options)
    : self_(std::move(self)),
      security_(std::move(security)),
      options_(options),
      sweeper_([this] { sweep(); }) {}

ClientPool::~ClientPool() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  sweeper_.join();
}

std::shared_ptr<NodeClient> ClientPool::client(const PeerAddress& peer) {
  const MutexLock lock(mutex_);
  auto& client = clients_[peer];
  if (!client) {
    auto dialer = std::make_shared<const Dialer>(self_, peer, security_, options_.connect_time);
    client = std::make_shared<NodeClient>(std::move(dialer), options_);
  }
  return client;
}

void ClientPool::forget(const std::string& node_id) {
  // Closed without the lock.
  std::vector<std::shared_ptr<NodeClient>> dropped;
  const MutexLock lock(mutex_);
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (at->first.node_id != node_id) {
      ++at;
      continue;
    }
    dropped.push_back(std::move(at->second));
    at = clients_.erase(at);
  }
}

std::size_t ClientPool::connections() {
  std::vector<std::shared_ptr<NodeClient>> clients;
  {
    const MutexLock lock(mutex_);
    for (const auto& [peer, client] : clients_) clients.push_back(client);
  }
  std::size_t open = 0;
  for (const auto& client : clients) open += client->close_idle();
  return open;
}

void ClientPool::sweep() {
  while (true) {
    {
      const auto next = std::chrono::steady_clock::now() + options_.idle_time / 2;
      const MutexLock lock(mutex_);
      while (!stopping_ && stopped_.wait_until(mutex_, next)) {
      }
      if (stopping_) return;
    }
    connections();
  }
}

}  // namespace quiver::thrift
