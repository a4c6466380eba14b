#include "mcp/turn.h"

namespace quiver::mcp {

std::shared_ptr<Outlet> Turn::outlet() const {
  const MutexLock lock(mutex_);
  return outlet_;
}

bool Turn::tell(const std::string& message) {
  const auto way = outlet();
  return way && way->tell(message);
}

bool Turn::send(const std::string& message) {
  const auto way = outlet();
  return way && way->send(message);
}

bool Turn::finish(Reply reply) {
  return become(nullptr, std::move(reply));
}

bool Turn::become(const std::shared_ptr<Task>& task, Reply reply) {
  std::shared_ptr<Outlet> way;
  {
    const MutexLock lock(mutex_);
    way.swap(outlet_);
    if (!way) return false;
    task_ = task;
  }
  const bool wanted = !in_flight || session->finish(request.id);
  if (wanted && !cancel.cancelled()) way->reply(std::move(reply));
  return true;
}

bool Turn::detach() {
  const auto way = outlet();
  return way && way->detach();
}

std::shared_ptr<Task> Turn::task() const {
  const MutexLock lock(mutex_);
  return task_.lock();
}

Reply failure(const Turn& turn, const RpcError& error) {
  return {error_reply(turn.request.id, error), error.code};
}

Reply refusal(const Turn& turn, const RpcError& error) {
  Reply reply = failure(turn, error);
  reply.refused = true;
  return reply;
}

}  // namespace quiver::mcp
