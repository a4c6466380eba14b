#include "thrift/lanes.h"

#include <utility>

namespace quiver::thrift {

Lanes::Lanes(const ServerOptions& options) : bounds_{options.greeting_connections} {
  for (std::size_t i = 1; i <= kPurposes; ++i) {
    bounds_[i] = options.connections.of(static_cast<Purpose>(i));
  }
}

std::optional<Lanes::Place> Lanes::enter(std::size_t lane) {
  const MutexLock lock(mutex_);
  if (used_[lane] >= bounds_[lane]) return std::nullopt;
  ++used_[lane];
  return std::optional<Place>(std::in_place, *this, lane);
}

std::size_t Lanes::used(Purpose purpose) const {
  const MutexLock lock(mutex_);
  return used_[static_cast<std::size_t>(purpose)];
}

std::size_t Lanes::greeting() const {
  const MutexLock lock(mutex_);
  return used_.front();
}

Lanes::Place::Place(Place&& other) noexcept
    : lanes_(std::exchange(other.lanes_, nullptr)), lane_(other.lane_) {}

Lanes::Place& Lanes::Place::operator=(Place&& other) noexcept {
  if (this != &other) {
    leave();
    lanes_ = std::exchange(other.lanes_, nullptr);
    lane_ = other.lane_;
  }
  return *this;
}

Lanes::Place::~Place() {
  leave();
}

void Lanes::Place::leave() noexcept {
  if (lanes_ == nullptr) return;
  const MutexLock lock(lanes_->mutex_);
  --lanes_->used_[lane_];
}

}  // namespace quiver::thrift
