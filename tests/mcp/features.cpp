#include "features.h"

#include <stdexcept>
#include <utility>

#include <catch2/catch.hpp>

#include "support.h"

namespace quiver::mcp::test {
namespace {

Json full_resource() {
  return {{"uri", "test://full"},
          {"name", "full"},
          {"title", "Full"},
          {"description", "Has every field."},
          {"mimeType", "text/plain"},
          {"size", 5},
          {"annotations", {{"priority", 0.5}, {"lastModified", "2026-01-01T00:00:00Z"}}},
          {"icons", {{{"src", "data:image/png;base64,AA=="}}}},
          {"_meta", {{"example.org/x", 1}}}};
}

Outcome<PromptResult> greet(Call& call) {
  PromptResult result{.description = "A greeting"};
  const std::string who = call.arguments["who"];
  result.messages.push_back(
      {{"role", "user"}, {"content", {{"type", "text"}, {"text", "Hello, " + who}}}});
  result.messages.push_back(
      {{"role", "user"},
       {"content", {{"type", "audio"}, {"mimeType", "audio/wav"}, {"data", "AA=="}}}});
  result.messages.push_back(
      {{"role", "user"},
       {"content",
        {{"type", "resource_link"}, {"uri", "test://full"}, {"name", "full"}, {"icons", {}}}}});
  return result;
}

Outcome<PromptResult> fail(Call&) {
  return RpcError{rpc::kInvalidParams, "collection \"docz\" not found"};
}

Outcome<PromptResult> fall_over(Call&) {
  throw std::runtime_error("out of luck");
}

Outcome<PromptResult> ask(Call& call) {
  const auto answer = call.inputs.responses.find("context");
  if (answer == call.inputs.responses.end()) {
    return InputRequired{
        {{"context",
          "elicitation/create",
          {{"message", "Which?"},
           {"requestedSchema",
            {{"type", "object"}, {"properties", {{"c", {{"type", "string"}}}}}}}}}},
        nullptr};
  }
  PromptResult result;
  result.messages.push_back(
      {{"role", "user"}, {"content", {{"type", "text"}, {"text", answer->second.dump()}}}});
  return result;
}

}  // namespace

Result<ResourcePage> FakeResources::list(Call&, const std::optional<std::string>& cursor) {
  if (!cursor) return ResourcePage{Json::array({full_resource()}), "two"};
  if (*cursor == "two") {
    return ResourcePage{Json::array({{{"uri", "test://plain"}, {"name", "plain"}}})};
  }
  return Error{ErrorCode::InvalidArgument, "cursor is unknown: start again without one"};
}

Json FakeResources::templates() const {
  return Json::array({{{"uriTemplate", "test://items/{id}"},
                       {"name", "item"},
                       {"title", "Item"},
                       {"description", "One item."},
                       {"mimeType", "text/plain"},
                       {"icons", {{{"src", "data:image/png;base64,AA=="}}}}}});
}

std::optional<Outcome<ResourceContents>> FakeResources::read(Call&, const std::string& uri) {
  if (uri == "test://full") {
    return ResourceContents{Json::array({{{"uri", uri},
                                          {"mimeType", "text/plain"},
                                          {"text", "hello"},
                                          {"_meta", {{"example.org/x", 1}}}}})};
  }
  if (uri == "test://empty") return ResourceContents{};
  if (uri == "test://busy") return RpcError{rpc::kInternalError, "not now"};
  return std::nullopt;
}

bool FakeResources::can_subscribe(const std::string& uri) const {
  return uri.starts_with("test://") && uri != "test://plain";
}

Offer featured_offer(std::shared_ptr<Hub> hub) {
  Offer offer;
  offer.about = {"featured", "Featured", "1", "Offers one of everything.", "Ask."};
  Tool tool;
  tool.name = "noop";
  tool.description = "Does nothing.";
  tool.run = [](Call& call) -> Outcome<ToolResult> {
    call.log(LogLevel::Debug, "noop", "detail");
    call.log(LogLevel::Warning, "noop", "trouble");
    return text_result("done");
  };
  offer.tools = {std::move(tool)};
  offer.prompts = {{"greet",
                    "Greet",
                    "Greets somebody.",
                    {{"who", "Whom to greet", true}, {"tone", "How", false}},
                    greet},
                   {"broken", "", "Fails.", {}, fail},
                   {"asks", "", "Asks first.", {}, ask},
                   {"throws", "", "Is broken.", {}, fall_over}};
  offer.resources = std::make_shared<FakeResources>();
  offer.complete = [](Call&, const CompletionQuery& query) -> Result<Completion> {
    Completion completion;
    if (query.value == "many") {
      for (int i = 0; i < 150; ++i) completion.values.push_back("v" + std::to_string(i));
      completion.total = 150;
    } else if (query.value == "fail") {
      return Error{ErrorCode::Unavailable, "the index is loading"};
    } else {
      completion.values = {query.subject, query.argument, query.value, query.context.dump()};
    }
    return completion;
  };
  offer.hub = std::move(hub);
  return offer;
}

Featured::Featured() : server(featured_offer(hub), inline_work) {}

Featured::Featured(Offer offer) : hub(offer.hub), server(std::move(offer), inline_work) {}

Json Featured::ask(const std::string& version, const std::string& method, Json params) {
  const Revision* revision = find_revision(version);
  const bool is_modern = revision->era == Era::Modern;
  if (!is_modern) session->agree(*revision, Json::object());
  auto json = read_json(is_modern ? modern(1, method, std::move(params))
                                  : request(1, method, std::move(params)));
  auto message = read_message(std::get<Json>(std::move(json)));
  return parsed(
      answer(server, std::get<Request>(std::get<Message>(std::move(message))), session).text);
}

bool KeepingOutlet::tell(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (refuses_) return false;
  texts_.push_back(message);
  changed_.notify_all();
  return true;
}

void KeepingOutlet::reply(Reply reply) {
  const std::lock_guard lock(mutex_);
  texts_.push_back(std::move(reply.text));
  replied_ = true;
  changed_.notify_all();
}

void KeepingOutlet::refuse(bool refuses) {
  const std::lock_guard lock(mutex_);
  refuses_ = refuses;
}

std::vector<Json> KeepingOutlet::wait(std::size_t count) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return texts_.size() >= count; });
  }
  auto all = messages();
  REQUIRE(all.size() >= count);
  return all;
}

std::vector<Json> KeepingOutlet::messages() const {
  const std::lock_guard lock(mutex_);
  std::vector<Json> all;
  for (const std::string& text : texts_) all.push_back(parsed(text));
  return all;
}

bool KeepingOutlet::replied() const {
  const std::lock_guard lock(mutex_);
  return replied_;
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& item : object.items()) keys.insert(item.key());
  return keys;
}

}  // namespace quiver::mcp::test
