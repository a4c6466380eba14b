#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "thrift/calls.h"

namespace quiver::thrift {

/// One number for each purpose.
struct PerPurpose {
  std::size_t control = 0;
  std::size_t search = 0;
  std::size_t write = 0;
  std::size_t bulk = 0;
  std::size_t health = 0;
  std::size_t log = 0;
  std::size_t pulse = 0;

  std::size_t of(Purpose purpose) const noexcept {
    switch (purpose) {
      case Purpose::Control: return control;
      case Purpose::Search: return search;
      case Purpose::Write: return write;
      case Purpose::Bulk: return bulk;
      case Purpose::Health: return health;
      case Purpose::Log: return log;
      case Purpose::Pulse: return pulse;
    }
    return 0;
  }
};

/// How nodes know each other. At least one of the two must be there.
struct SecurityOptions {
  /// The same for all nodes of the cluster; 16 bytes or more. It never travels.
  std::string token;
  /// PEM files; all three or none. The certificate names the node's id (docs/decisions/0004).
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

struct ClientOptions {
  /// Most connections to one peer.
  PerPurpose connections{4, 32, 16, 4, 1, 1, 1};
  /// A connection that was unused for so long is closed. Less than ServerOptions::idle_time.
  std::chrono::milliseconds idle_time{60'000};
  /// To reach a peer and greet it; the call's deadline holds too.
  std::chrono::milliseconds connect_time{3'000};
  /// Of a call whose context has no deadline.
  std::chrono::milliseconds call_time{30'000};
  /// How often a call is tried in all, where it is safe to repeat it.
  std::size_t attempts = 4;
  /// Pause in front of the first repetition; doubled for each further one, and half of it random.
  std::chrono::milliseconds backoff{20};
  std::chrono::milliseconds backoff_max{1'000};
};

struct ServerOptions {
  /// Numeric address to listen on. Without TLS it must be a private one, or `allow_public` set.
  std::string address = "127.0.0.1";
  /// 0: any free one.
  std::uint16_t port = 0;
  bool allow_public = false;
  /// Most connections, each with a thread of its own. The next is refused.
  PerPurpose connections{64, 256, 128, 32, 64, 64, 64};
  /// Most connections that have not greeted yet.
  std::size_t greeting_connections = 64;
  /// For a new connection to show who it is.
  std::chrono::milliseconds greeting_time{5'000};
  /// From the first byte of a request to its last, and the same for the reply.
  std::chrono::milliseconds frame_time{15'000};
  /// Between two requests.
  std::chrono::milliseconds idle_time{300'000};
};

}  // namespace quiver::thrift
