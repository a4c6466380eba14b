#include "http_support.h"

#include <sstream>
#include <utility>

namespace quiver::mcp::test {

std::vector<SseEvent> read_events(const std::string& text) {
  std::vector<SseEvent> events;
  std::istringstream lines(text);
  SseEvent event;
  bool has_data = false;
  bool has_any = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      if (has_any) events.push_back(std::exchange(event, {}));
      has_data = has_any = false;
      continue;
    }
    if (line.front() == ':') continue;
    const auto colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    has_any = true;
    if (field == "data") {
      event.data += (has_data ? "\n" : "") + value;
      has_data = true;
    } else if (field == "id") {
      event.id = value;
    } else if (field == "event") {
      event.name = value;
    } else if (field == "retry") {
      event.retry = value;
    } else {
      FAIL("unknown field in an event stream: " << line);
    }
  }
  CHECK_FALSE(has_any);
  return events;
}

class FakeResponse::Stream final : public HttpStream {
 public:
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Stream() override {
    const std::lock_guard lock(state_->mutex);
    state_->cut = !state_->ended;
    state_->changed.notify_all();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool write(std::string_view bytes) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->gone || state_->stalled || state_->ended) return false;
    state_->text += bytes;
    state_->changed.notify_all();
    return true;
  }
  void end() override {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
    state_->changed.notify_all();
  }

 private:
  const std::shared_ptr<State> state_;
};

void FakeResponse::respond(HttpResponse response) {
  const std::lock_guard lock(state_->mutex);
  CHECK_FALSE(state_->head);
  state_->head = std::move(response);
  state_->changed.notify_all();
}

std::shared_ptr<HttpStream> FakeResponse::stream(HttpResponse head) {
  const std::lock_guard lock(state_->mutex);
  CHECK_FALSE(state_->head);
  state_->text = head.body;
  state_->head = std::move(head);
  state_->streams = true;
  state_->changed.notify_all();
  return std::make_shared<Stream>(state_);
}

void FakeResponse::on_gone(std::function<void()> gone) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->gone) return state_->on_gone.swap(gone);
  }
  gone();
}

void FakeResponse::hang_up() {
  std::function<void()> gone;
  {
    const std::lock_guard lock(state_->mutex);
    state_->gone = true;
    gone.swap(state_->on_gone);
  }
  if (gone) gone();
}

void FakeResponse::stall() {
  const std::lock_guard lock(state_->mutex);
  state_->stalled = true;
}

HttpResponse FakeResponse::head() {
  std::unique_lock lock(state_->mutex);
  REQUIRE(state_->changed.wait_for(lock, kPatience, [&] { return state_->head.has_value(); }));
  return *state_->head;
}

bool FakeResponse::has_begun() {
  const std::lock_guard lock(state_->mutex);
  return state_->head.has_value();
}

bool FakeResponse::is_stream() {
  const std::lock_guard lock(state_->mutex);
  return state_->streams;
}

std::vector<SseEvent> FakeResponse::events(std::size_t count) {
  const auto complete = [](const std::string& text) {
    return read_events(text.substr(0, text.rfind("\n\n") + 2));
  };
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, kPatience, [&] { return complete(state_->text).size() >= count; });
  auto events = complete(state_->text);
  REQUIRE(events.size() >= count);
  return events;
}

std::vector<SseEvent> FakeResponse::all_events() {
  std::unique_lock lock(state_->mutex);
  REQUIRE(state_->changed.wait_for(lock, kPatience, [&] { return state_->ended; }));
  return read_events(state_->text);
}

bool FakeResponse::has_ended() {
  const std::lock_guard lock(state_->mutex);
  return state_->ended;
}

bool FakeResponse::was_cut() {
  const std::lock_guard lock(state_->mutex);
  return state_->cut;
}

HttpEndpointOptions Site::timed(HttpEndpointOptions options) const {
  options.sessions.clock = clock;
  return options;
}

Offer Site::changed(Offer offer, const std::function<void(Offer&)>& change) {
  if (change) change(offer);
  return offer;
}

Site::Site(HttpEndpointOptions options, const std::function<void(Offer&)>& change)
    : server(changed(world.offer(), change),
             [this](std::function<void()> work) -> Status {
               if (busy) return Error{ErrorCode::ResourceExhausted, "busy"};
               const std::lock_guard lock(mutex_);
               workers_.emplace_back(std::move(work));
               return Done{};
             },
             {.progress_interval = std::chrono::milliseconds(0)}),
      endpoint(
          server,
          [this](std::function<void()> work) -> Status {
            if (busy) return Error{ErrorCode::ResourceExhausted, "busy"};
            const std::lock_guard lock(mutex_);
            workers_.emplace_back(std::move(work));
            return Done{};
          },
          timed(std::move(options))) {}

Site::~Site() {
  finish();
}

void Site::finish() {
  world.gate.open();
  wait_for_calls();
}

void Site::wait_for_calls() {
  for (;;) {
    std::vector<std::thread> workers;
    {
      const std::lock_guard lock(mutex_);
      workers.swap(workers_);
    }
    if (workers.empty()) break;
    for (auto& worker : workers) worker.join();
  }
}

HttpRequest Site::post(std::string body) {
  return {"POST",
          "/mcp",
          {{"host", "127.0.0.1:7600"},
           {"content-type", "application/json"},
           {"accept", "application/json, text/event-stream"}},
          std::move(body)};
}

HttpRequest Site::modern_post(const Json& id, const std::string& method, Json params) {
  HttpRequest http = post(modern(id, method, params));
  http.headers["mcp-protocol-version"] = "2026-07-28";
  http.headers["mcp-method"] = method;
  if (params.contains("name")) http.headers["mcp-name"] = params["name"];
  return http;
}

HttpRequest Site::in(const std::string& session, std::string body) {
  HttpRequest http = post(std::move(body));
  http.headers["mcp-session-id"] = session;
  return http;
}

HttpRequest Site::get(const std::string& session) {
  HttpRequest http = in(session, "");
  http.method = "GET";
  http.headers.erase("content-type");
  http.headers["accept"] = "text/event-stream";
  return http;
}

std::shared_ptr<FakeResponse> Site::begin(HttpRequest http) {
  auto response = std::make_shared<FakeResponse>();
  endpoint.handle(std::move(http), response);
  return response;
}

HttpResponse Site::send(HttpRequest http) {
  const auto response = begin(std::move(http));
  const HttpResponse head = response->head();
  CHECK_FALSE(response->is_stream());
  return head;
}

std::string Site::open(const std::string& version) {
  const HttpResponse opened =
      send(post(request("open", "initialize",
                        {{"protocolVersion", version},
                         {"capabilities", Json::object()},
                         {"clientInfo", {{"name", "test"}, {"version", "1"}}}})));
  REQUIRE(opened.status == 200);
  return opened.headers.at("mcp-session-id");
}

Json call_of(const std::string& tool, Json arguments, Json token) {
  Json params{{"name", tool}, {"arguments", std::move(arguments)}};
  if (!token.is_null()) params["_meta"] = {{"progressToken", std::move(token)}};
  return params;
}

}  // namespace quiver::mcp::test
