#include "storage/index_builder.h"

#include <algorithm>
#include <system_error>

#include "core/log.h"

namespace quiver::storage {

IndexBuilder::IndexBuilder(std::uint32_t threads) {
  try {
    for (std::uint32_t i = 0; i < std::max(threads, 1U); ++i)
      threads_.emplace_back([this] { run(); });
  } catch (const std::system_error& error) {
    // Fewer threads build more slowly; without any, searches stay exact.
    QV_LOG_ERROR("index_threads_missing started={} error={}", threads_.size(), error.what());
  }
}

IndexBuilder::~IndexBuilder() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (auto& thread : threads_) thread.join();
}

IndexBuilder::Turns::iterator IndexBuilder::find(const Client& client) {
  return std::find_if(turns_.begin(), turns_.end(),
                      [&](const Turn& turn) { return turn.client == &client; });
}

IndexBuilder::Turns::iterator IndexBuilder::next_turn() {
  return std::find_if(turns_.begin(), turns_.end(), [](const Turn& turn) { return turn.wanted; });
}

void IndexBuilder::schedule(Client& client) {
  {
    const MutexLock lock(mutex_);
    auto turn = find(client);
    if (turn == turns_.end()) turn = turns_.insert(turn, Turn{.client = &client});
    if (turn->leaving) return;
    ++turn->requests;
    turn->wanted = true;
  }
  work_.notify_one();
}

void IndexBuilder::forget(Client& client) {
  const MutexLock lock(mutex_);
  const auto turn = find(client);
  if (turn == turns_.end()) return;
  turn->leaving = true;
  turn->wanted = false;
  while (turn->running > 0) idle_.wait(mutex_);
  turns_.erase(turn);
}

void IndexBuilder::run() {
  mutex_.lock();
  while (!stopping_) {
    const auto turn = next_turn();
    if (turn == turns_.end()) {
      work_.wait(mutex_);
      continue;
    }
    turns_.splice(turns_.end(), turns_, turn);
    ++turn->running;
    const std::uint64_t seen = turn->requests;
    mutex_.unlock();
    // It stays wanted meanwhile: a second thread may find work in it too.
    work_.notify_one();
    const bool more = turn->client->build_step();
    mutex_.lock();
    --turn->running;
    if (more) {
      // As good as a new request: a thread that came away empty-handed meanwhile must not end it.
      ++turn->requests;
      turn->wanted = true;
    } else if (turn->requests == seen) {
      turn->wanted = false;
    }
    if (turn->leaving) turn->wanted = false;
    if (turn->running > 0) continue;
    if (turn->leaving) {
      idle_.notify_all();
    } else if (!turn->wanted) {
      turns_.erase(turn);
    }
  }
  mutex_.unlock();
}

}  // namespace quiver::storage
