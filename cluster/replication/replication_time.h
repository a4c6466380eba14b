#pragma once

#include <chrono>

namespace quiver::cluster::replication {

/// Of the clock of one server. Never compared with the clock of another.
using Time = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

}  // namespace quiver::cluster::replication
