#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/http.h"
#include "mcp/event_stream.h"
#include "mcp/http_headers.h"
#include "mcp/http_session.h"
#include "mcp/outlet.h"

namespace quiver::mcp {

/// The way back for one POST: one JSON reply, or a stream of events from the first message on that
/// comes before it.
///
/// In a session the stream outlasts its connection: the client may come back for what it has
/// missed. Without one, nobody can.
class HttpOutlet final : public Outlet {
 public:
  /// `session` may be null. `accepted` names at least one of the two forms.
  HttpOutlet(std::shared_ptr<HttpResponder> responder, Accepted accepted,
             std::shared_ptr<HttpSession> session);
  ~HttpOutlet() override;
  HttpOutlet(const HttpOutlet&) = delete;
  HttpOutlet& operator=(const HttpOutlet&) = delete;

  /// May add to the head of the reply, once it is known. Not called for a stream that has begun.
  using Finish = std::function<void(const Reply& reply, HttpResponse& head)>;
  void on_reply(Finish finish) { finish_ = std::move(finish); }
  /// `holds` is let go of with the outlet.
  void hold(std::shared_ptr<void> holds) { holds_ = std::move(holds); }

  bool tell(const std::string& message) override;
  bool send(const std::string& message) override { return tell(message); }
  bool detach() override;
  void reply(Reply reply) override;

 private:
  void open(HttpResponse head);

  /// Null once the response has begun.
  std::shared_ptr<HttpResponder> responder_;
  const Accepted accepted_;
  const std::shared_ptr<HttpSession> session_;
  std::unique_ptr<HttpSession::Use> use_;
  std::shared_ptr<EventStream> stream_;
  Finish finish_;
  std::shared_ptr<void> holds_;
};

}  // namespace quiver::mcp
