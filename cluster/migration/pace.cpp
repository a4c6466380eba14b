#include "cluster/migration/pace.h"

#include <algorithm>

namespace quiver::cluster {
namespace {

// What is smaller costs more in calls than it evens out.
constexpr std::size_t kPieceBytesMin = std::size_t{16} << 10;
constexpr std::uint64_t kPiecesPerSecond = 4;

std::chrono::nanoseconds worth(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  const auto whole = bytes / bytes_per_second;
  const auto rest = bytes % bytes_per_second;
  return std::chrono::seconds(whole) +
         std::chrono::nanoseconds(static_cast<std::int64_t>(
             static_cast<double>(rest) * kNsPerSecond / static_cast<double>(bytes_per_second)));
}

}  // namespace

PaceSchedule::Ticket PaceSchedule::ask(const std::string& transfer, std::uint64_t bytes) {
  // Whoever had nothing to send meanwhile does not catch up.
  auto& end = ends_[transfer];
  const Share from = std::max(end, now_);
  end = from + bytes;
  waiting_.emplace(++last_, Waiting{transfer, bytes, from});
  return last_;
}

void PaceSchedule::withdraw(Ticket ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const auto gone = std::move(found->second);
  waiting_.erase(found);
  if (const auto end = ends_.find(gone.transfer); end != ends_.end()) end->second -= gone.bytes;
}

std::optional<PaceSchedule::Turn> PaceSchedule::next() const {
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [](const auto& a, const auto& b) { return a.second.from < b.second.from; });
  if (first == waiting_.end()) return std::nullopt;
  return Turn{first->first, paid_until_};
}

void PaceSchedule::grant(Time now) {
  const auto turn = next();
  if (!turn) return;
  const auto going = waiting_.find(turn->ticket);
  paid_until_ = std::max(paid_until_, now - kBurst) + worth(going->second.bytes, bytes_per_second_);
  now_ = std::max(now_, going->second.from);
  waiting_.erase(going);
  // What ends here already says no more than that it is there.
  std::erase_if(ends_, [this](const auto& each) { return each.second <= now_; });
}

Pace::Pace(std::uint64_t bytes_per_second)
    : bytes_per_second_(bytes_per_second),
      state_(std::make_shared<State>(std::max<std::uint64_t>(bytes_per_second, 1))) {}

Status Pace::take(const CallContext& call, const std::string& transfer, std::uint64_t bytes) {
  QV_CHECK(call.check());
  if (bytes_per_second_ == 0) {
    const MutexLock lock(state_->mutex);
    state_->bytes += bytes;
    return Done{};
  }
  const auto watch = call.cancel.watch([state = state_] {
    const MutexLock lock(state->mutex);
    state->changed.notify_all();
  });
  auto& state = *state_;
  const MutexLock lock(state.mutex);
  const auto mine = state.schedule.ask(transfer, bytes);
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (auto status = call.check(); !status.ok()) {
      state.schedule.withdraw(mine);
      state.changed.notify_all();
      return status;
    }
    const auto turn = state.schedule.next();
    const bool is_mine = turn->ticket == mine;
    if (is_mine && now >= turn->at) {
      state.schedule.grant(now);
      state.bytes += bytes;
      state.changed.notify_all();
      return Done{};
    }
    // Whoever is not next is woken by the one who is.
    auto until = call.deadline;
    if (is_mine) until = until ? std::min(*until, turn->at) : turn->at;
    if (until) {
      state.changed.wait_until(state.mutex, *until);
    } else {
      state.changed.wait(state.mutex);
    }
  }
}

std::size_t Pace::piece_bytes(std::size_t most) const noexcept {
  if (bytes_per_second_ == 0) return most;
  const auto paced = bytes_per_second_ / kPiecesPerSecond;
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(paced, std::min(kPieceBytesMin, most), most));
}

std::uint64_t Pace::bytes() const {
  const MutexLock lock(state_->mutex);
  return state_->bytes;
}

std::size_t Pace::waiting() const {
  const MutexLock lock(state_->mutex);
  return state_->schedule.waiting();
}

}  // namespace quiver::cluster
