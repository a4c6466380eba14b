#include <utility>

#include "fixtures.h"

namespace quiver::conformance {
namespace {

using mcp::Call;
using mcp::Outcome;
using mcp::Prompt;
using mcp::PromptResult;

Json user(Json content) {
  return {{"role", "user"}, {"content", std::move(content)}};
}

PromptResult messages(Json list) {
  return {.description = "", .messages = std::move(list)};
}

Outcome<PromptResult> simple(Call&) {
  return messages(Json::array({user(text_block("This is a simple prompt for testing."))}));
}

Outcome<PromptResult> with_arguments(Call& call) {
  const std::string text = "Prompt with arguments: arg1='" +
                           call.arguments.at("arg1").get<std::string>() + "', arg2='" +
                           call.arguments.at("arg2").get<std::string>() + "'";
  return messages(Json::array({user(text_block(text))}));
}

Outcome<PromptResult> with_resource(Call& call) {
  const Json resource = resource_block(call.arguments.at("resourceUri").get<std::string>(),
                                       "text/plain", "Embedded resource content for testing.");
  return messages(Json::array(
      {user(resource), user(text_block("Please process the embedded resource above."))}));
}

Outcome<PromptResult> with_image(Call&) {
  return messages(
      Json::array({user(image_block()), user(text_block("Please analyze the image above."))}));
}

Outcome<PromptResult> with_input(Call& call) {
  const Json* context = filled_in(call, "user_context", "context");
  if (context == nullptr) {
    const Json schema = object_schema({{"context", {{"type", "string"}}}}, {"context"});
    return mcp::InputRequired{
        {elicitation("user_context", "What context should the prompt use?", schema)}};
  }
  return messages(Json::array({user(text_block("Context: " + mcp::to_text(*context)))}));
}

Prompt prompt(std::string name, std::string description,
              std::function<Outcome<PromptResult>(Call& call)> run,
              std::vector<mcp::PromptArgument> arguments = {}) {
  return {.name = std::move(name),
          .title = "",
          .description = std::move(description),
          .arguments = std::move(arguments),
          .run = std::move(run)};
}

constexpr std::string_view kText = "test://static-text";
constexpr std::string_view kBinary = "test://static-binary";
constexpr std::string_view kWatched = "test://watched-resource";
constexpr std::string_view kTemplateHead = "test://template/";
constexpr std::string_view kTemplateTail = "/data";

Json resource(std::string_view uri, std::string_view name, std::string_view description,
              std::string_view mime_type) {
  return {{"uri", uri}, {"name", name}, {"description", description}, {"mimeType", mime_type}};
}

Json text_contents(std::string_view uri, std::string_view mime_type, std::string_view text) {
  return {{"uri", uri}, {"mimeType", mime_type}, {"text", text}};
}

/// The {id} of a URI of the template; empty if it is none.
std::string template_id(std::string_view uri) {
  if (!uri.starts_with(kTemplateHead) || !uri.ends_with(kTemplateTail)) return {};
  if (uri.size() <= kTemplateHead.size() + kTemplateTail.size()) return {};
  uri.remove_prefix(kTemplateHead.size());
  uri.remove_suffix(kTemplateTail.size());
  return uri.find('/') == std::string_view::npos ? std::string(uri) : std::string();
}

class FixtureResources final : public mcp::Resources {
 public:
  Result<mcp::ResourcePage> list(Call&, const std::optional<std::string>& cursor) override {
    if (cursor) return Error{ErrorCode::InvalidArgument, "cursor: there is only one page"};
    return mcp::ResourcePage{Json::array(
        {resource(kText, "static-text", "A text that never changes.", "text/plain"),
         resource(kBinary, "static-binary", "An image that never changes.", "image/png"),
         resource(kWatched, "watched-resource", "A text to subscribe to.", "text/plain")})};
  }

  Json templates() const override {
    return Json::array({{{"uriTemplate", "test://template/{id}/data"},
                         {"name", "template"},
                         {"description", "Data of an id."},
                         {"mimeType", "application/json"}}});
  }

  std::optional<Outcome<mcp::ResourceContents>> read(Call&, const std::string& uri) override {
    if (uri == kText) {
      return contents(
          text_contents(uri, "text/plain", "This is the content of the static text resource."));
    }
    if (uri == kBinary) {
      return contents({{"uri", uri}, {"mimeType", "image/png"}, {"blob", kPixel}});
    }
    if (uri == kWatched) return contents(text_contents(uri, "text/plain", "Watched."));
    const std::string id = template_id(uri);
    if (id.empty()) return std::nullopt;
    const Json data{{"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}};
    return contents(text_contents(uri, "application/json", mcp::to_text(data)));
  }

  bool can_subscribe(const std::string& uri) const override { return uri == kWatched; }

 private:
  static std::optional<Outcome<mcp::ResourceContents>> contents(Json one) {
    return mcp::ResourceContents{Json::array({std::move(one)})};
  }
};

}  // namespace

std::vector<Prompt> prompts() {
  return {
      prompt("test_input_required_result_prompt", "Asks for its context.", with_input),
      prompt("test_prompt_with_arguments", "Repeats its arguments.", with_arguments,
             {{"arg1", "First test argument", true}, {"arg2", "Second test argument", true}}),
      prompt("test_prompt_with_embedded_resource", "Embeds a resource.", with_resource,
             {{"resourceUri", "URI of the resource to embed", true}}),
      prompt("test_prompt_with_image", "Has an image.", with_image),
      prompt("test_simple_prompt", "Is always the same.", simple),
  };
}

std::shared_ptr<mcp::Resources> resources() {
  return std::make_shared<FixtureResources>();
}

Result<mcp::Completion> complete(Call&, const mcp::CompletionQuery& query) {
  mcp::Completion completion;
  for (const char* word : {"paris", "park", "party"}) {
    if (std::string_view(word).starts_with(query.value)) completion.values.emplace_back(word);
  }
  completion.total = completion.values.size();
  return completion;
}

}  // namespace quiver::conformance
