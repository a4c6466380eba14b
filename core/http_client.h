#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/call_context.h"
#include "core/http.h"

namespace quiver {

/// PEM files of TLS.
struct TlsFiles {
  /// Who vouches for the other side. Empty: those that the system trusts.
  std::filesystem::path ca;
  /// What this side shows of itself; both or neither.
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// What became of a request.
struct HttpReply {
  enum class State : std::uint8_t {
    /// A whole response is here, whatever its status.
    Answered,
    /// There was no connection: the server surely does not know of the request.
    NotSent,
    /// Sent, at least in part, and not or not wholly answered: the server may have acted on it.
    Lost,
  };

  State state = State::NotSent;
  /// Lost: what of it came; a status of 0 if nothing did.
  HttpResponse response{0, {}, {}};
  /// Why it was not answered; for logs and messages.
  std::string why;

  bool answered() const noexcept { return state == State::Answered; }
};

/// Takes the next bytes of a body; false ends the response.
using HttpSink = std::function<bool(std::string_view bytes)>;

/// Sends HTTP requests to other servers. Connections are kept and used again. Never repeats a
/// request by itself, follows no redirections.
///
/// Every call ends when its context is out of time or cancelled, also against a peer that sends a
/// byte now and then. A token that lives long should not be used for many calls: it keeps a little
/// of each.
///
/// Threads: any; concurrent calls take different connections.
class HttpClient {
 public:
  virtual ~HttpClient() = default;

  /// `origin` is scheme, host and port: "https://10.0.0.1:2379". A context without deadline has the
  /// client's own.
  virtual HttpReply send(const CallContext& call, const std::string& origin,
                         const HttpRequest& request) = 0;

  /// Hands the body of a 200 to `sink` as it comes, on the calling thread; that of another status
  /// is in the response. Lost if nothing came for `silence`. Answered if the body ended or the sink
  /// ended it.
  virtual HttpReply stream(const CallContext& call, const std::string& origin,
                           const HttpRequest& request, std::chrono::milliseconds silence,
                           const HttpSink& sink) = 0;
};

}  // namespace quiver
