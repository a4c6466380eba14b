#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_client.h"
#include "core/json.h"
#include "core/mutex.h"
#include "core/result.h"

namespace quiver::cluster {

struct EtcdOptions {
  /// Scheme, host and port of each member: "http://10.0.0.1:2379". At least one.
  std::vector<std::string> endpoints;
  /// In front of all keys: "/quiver/<cluster>/".
  std::string prefix;
  /// Both empty: etcd asks for none.
  std::string user;
  std::string password;
  /// The most a call takes, also if its caller has more time.
  std::chrono::milliseconds call_timeout{5'000};
  /// How long a call goes round the endpoints while none of them takes it, so that the election of
  /// a leader is not an error.
  std::chrono::milliseconds patience{2'500};
  /// A watch that hears nothing for so long connects again: silence may also mean that its member
  /// has stopped.
  std::chrono::milliseconds watch_silence{5'000};
  /// Keys in one reply.
  std::size_t page_keys = 1'000;
};

/// What etcd made of a request.
struct EtcdReply {
  enum class State : std::uint8_t {
    Done,
    /// Refused: nothing was done, and another member would say the same.
    Refused,
    /// No member took it: nothing was done.
    NotDone,
    /// A member took it, and did not say what became of it.
    Unknown,
  };

  State state = State::NotDone;
  Json body;
  /// Unless Done.
  Error error{ErrorCode::Unavailable, {}};
  /// etcd's own reason, as gRPC numbers it; 0: none.
  int grpc_code = 0;
};

/// The JSON gateways of the members of an etcd, one of which answers.
///
/// Calls go to the member that last answered; when it does not, to the others in turn.
///
/// Threads: any. `http` must outlive it.
class EtcdGateway {
 public:
  EtcdGateway(HttpClient& http, EtcdOptions options);

  enum class Repeat : std::uint8_t {
    /// A read, or a request that may be carried out twice.
    Safe,
    /// Goes to one member only, unless it surely did not take it.
    Never,
  };
  EtcdReply call(const CallContext& call, std::string_view path, const Json& request,
                 Repeat repeat);

  /// One stream from one member; `sink` as in HttpClient::stream(). Unreached members are left out
  /// the next time.
  HttpReply stream(const CallContext& call, std::string_view path, const Json& request,
                   const HttpSink& sink);
  /// Later calls begin with another member.
  void turn_away() { turn_from(first_.load()); }

  const EtcdOptions& options() const noexcept { return options_; }

 private:
  void turn_from(std::size_t endpoint);
  EtcdReply attempt(const CallContext& call, const std::string& endpoint, std::string_view path,
                    const std::string& body);
  EtcdReply ask(const CallContext& call, const std::string& endpoint, std::string_view path,
                const std::string& body);
  void drop_token();
  HttpReply post(const CallContext& call, const std::string& endpoint, std::string_view path,
                 const std::string& body);
  HttpRequest request(std::string_view path, std::string body) QV_EXCLUDES(mutex_);
  /// Fetches a token if there is none and one is needed.
  EtcdReply authenticate(const CallContext& call, const std::string& endpoint);

  HttpClient& http_;
  const EtcdOptions options_;
  std::atomic<std::size_t> first_{0};
  Mutex mutex_;
  std::string token_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
