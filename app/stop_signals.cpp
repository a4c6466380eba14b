#include "app/stop_signals.h"

#include <array>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace quiver::app {
namespace {

sigset_t stop_set() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

int blocked_signalfd() {
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = stop_set();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

/// Restores the default action and lets the signal, which is sent again, take it.
void die_by(int signal) {
  ::signal(signal, SIG_DFL);
  const sigset_t set = stop_set();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
}

}  // namespace

StopSignals::StopSignals(std::function<void(int)> on_stop)
    : on_stop_(std::move(on_stop)), signals_(blocked_signalfd()), thread_([this] { run(); }) {}

StopSignals::~StopSignals() {
  wake_.signal();
  thread_.join();
}

void StopSignals::run() {
  bool is_first = true;
  while (true) {
    std::array<pollfd, 2> set{pollfd{wake_.fd(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
    if (::poll(set.data(), set.size(), -1) < 0) continue;
    if (set[0].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (!is_first) die_by(static_cast<int>(info.ssi_signo));
    is_first = false;
    on_stop_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace quiver::app
