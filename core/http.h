#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace quiver {

/// A whole HTTP request, as the listener hands it on.
struct HttpRequest {
  std::string method;
  /// Path and query, undecoded.
  std::string target;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
};

/// The body of a response that is written piece by piece, such as server-sent events.
///
/// Letting go of it without end() cuts the connection, so that the client sees the body is broken.
///
/// Threads: any. No call blocks.
class HttpStream {
 public:
  virtual ~HttpStream() = default;

  /// Queues bytes for the client. False, and they are dropped, when the client has gone, when the
  /// body has ended, or when the client reads so slowly that what is queued has reached its bound:
  /// then the connection is cut.
  virtual bool write(std::string_view bytes) = 0;

  /// Ends the body in good order once what is queued was sent.
  virtual void end() = 0;
};

/// Takes the response to one request: whole, or as a stream; once. Letting go of it without either
/// is answered with 500.
///
/// Threads: any. No call blocks.
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;

  virtual void respond(HttpResponse response) = 0;

  /// Sends status and headers at once, with the body of `head` as the first bytes.
  virtual std::shared_ptr<HttpStream> stream(HttpResponse head) = 0;

  /// `gone` is called once, when the client disconnects or is cut off before all of the response
  /// was sent; at once if that has happened. Not called after a response that was sent in full.
  /// It must not block. A later call replaces an earlier.
  virtual void on_gone(std::function<void()> gone) = 0;
};

/// Answers a request, on the thread that called or later on another. Must not block the caller.
using HttpHandler =
    std::function<void(HttpRequest request, std::shared_ptr<HttpResponder> responder)>;

}  // namespace quiver
