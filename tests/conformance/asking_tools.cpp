#include <string>
#include <utility>

#include "fixtures.h"

namespace quiver::conformance {
namespace {

using mcp::Call;
using mcp::InputRequest;
using mcp::InputRequired;
using mcp::Outcome;
using mcp::Tool;
using mcp::ToolResult;

Json text_schema(const std::string& name) {
  return object_schema({{name, {{"type", "string"}}}}, {name});
}

Json yes_schema(const std::string& name) {
  return object_schema({{name, {{"type", "boolean"}}}}, {name});
}

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : mcp::to_text(value);
}

bool answered(const Call& call, const std::string& key) {
  const auto given = call.inputs.responses.find(key);
  return given != call.inputs.responses.end() && given->second.is_object();
}

/// The text that a model answered with; empty if there is none.
std::string model_text(const Call& call, const std::string& key) {
  if (!answered(call, key)) return {};
  const Json& answer = call.inputs.responses.at(key);
  const auto content = answer.find("content");
  if (content == answer.end() || !content->is_object()) return {};
  const auto text = content->find("text");
  return text != content->end() && text->is_string() ? text->get<std::string>() : std::string();
}

/// How many roots the client has; -1 if it did not say.
int root_count(const Call& call, const std::string& key) {
  if (!answered(call, key)) return -1;
  const Json& answer = call.inputs.responses.at(key);
  const auto roots = answer.find("roots");
  return roots != answer.end() && roots->is_array() ? static_cast<int>(roots->size()) : -1;
}

Outcome<ToolResult> ask_model(Call& call) {
  const auto prompt = call.arguments.find("prompt");
  if (prompt == call.arguments.end() || !prompt->is_string()) {
    return mcp::failed_result({ErrorCode::InvalidArgument, "prompt: must be a string"});
  }
  if (!answered(call, "answer")) {
    return InputRequired{{sampling("answer", prompt->get<std::string>(), 100)}};
  }
  return mcp::text_result("LLM response: " + model_text(call, "answer"));
}

/// Shows a form and returns what came of it.
Outcome<ToolResult> show_form(Call& call, std::string_view message, Json schema,
                              const std::string& what) {
  if (!answered(call, "form")) {
    return InputRequired{{elicitation("form", message, std::move(schema))}};
  }
  const Json& answer = call.inputs.responses.at("form");
  return mcp::text_result(what + "action=" + as_text(answer.value("action", Json("none"))) +
                          ", content=" + mcp::to_text(answer.value("content", Json::object())));
}

Outcome<ToolResult> ask_person(Call& call) {
  const auto message = call.arguments.find("message");
  if (message == call.arguments.end() || !message->is_string()) {
    return mcp::failed_result({ErrorCode::InvalidArgument, "message: must be a string"});
  }
  const Json properties{{"username", {{"type", "string"}, {"description", "User's response"}}},
                        {"email", {{"type", "string"}, {"description", "User's email address"}}}};
  return show_form(call, message->get<std::string>(),
                   object_schema(properties, {"username", "email"}), "User response: ");
}

Outcome<ToolResult> ask_with_defaults(Call& call) {
  const Json properties{
      {"name", {{"type", "string"}, {"default", "John Doe"}}},
      {"age", {{"type", "integer"}, {"default", 30}}},
      {"score", {{"type", "number"}, {"default", 95.5}}},
      {"status",
       {{"type", "string"}, {"enum", {"active", "inactive", "pending"}}, {"default", "active"}}},
      {"verified", {{"type", "boolean"}, {"default", true}}}};
  return show_form(call, "Please look over these values.", object_schema(properties),
                   "Elicitation completed: ");
}

Json titled(const std::string& noun) {
  return Json::array({{{"const", "value1"}, {"title", "First " + noun}},
                      {{"const", "value2"}, {"title", "Second " + noun}},
                      {{"const", "value3"}, {"title", "Third " + noun}}});
}

Outcome<ToolResult> ask_with_enums(Call& call) {
  const Json options{"option1", "option2", "option3"};
  const Json properties{
      {"untitledSingle", {{"type", "string"}, {"enum", options}}},
      {"titledSingle", {{"type", "string"}, {"oneOf", titled("Option")}}},
      {"legacyEnum",
       {{"type", "string"},
        {"enum", {"opt1", "opt2", "opt3"}},
        {"enumNames", {"Option One", "Option Two", "Option Three"}}}},
      {"untitledMulti", {{"type", "array"}, {"items", {{"type", "string"}, {"enum", options}}}}},
      {"titledMulti", {{"type", "array"}, {"items", {{"anyOf", titled("Choice")}}}}}};
  return show_form(call, "Please choose.", object_schema(properties), "Elicitation completed: ");
}

Outcome<ToolResult> greet_person(Call& call) {
  const Json* name = filled_in(call, "user_name", "name");
  if (name == nullptr) {
    return InputRequired{{elicitation("user_name", "What is your name?", text_schema("name"))}};
  }
  return mcp::text_result("Hello, " + as_text(*name) + "!");
}

Outcome<ToolResult> ask_for_capital(Call& call) {
  const std::string text = model_text(call, "capital_question");
  if (!text.empty()) return mcp::text_result(text);
  return InputRequired{{sampling("capital_question", "What is the capital of France?", 100)}};
}

Outcome<ToolResult> ask_for_roots(Call& call) {
  if (root_count(call, "client_roots") < 0) return InputRequired{{list_roots("client_roots")}};
  return mcp::text_result("Roots: " + mcp::to_text(call.inputs.responses.at("client_roots")));
}

/// Accepts an answer only together with the state that went out with its question.
Outcome<ToolResult> confirm_with_state(Call& call) {
  const Json expected{{"asked", "confirm"}};
  if (filled_in(call, "confirm", "ok") != nullptr && call.inputs.state == expected) {
    return mcp::text_result("state-ok");
  }
  return InputRequired{{elicitation("confirm", "Please confirm", yes_schema("ok"))}, expected};
}

Outcome<ToolResult> ask_three_things(Call& call) {
  const Json* name = filled_in(call, "user_name", "name");
  const std::string greeting = model_text(call, "greeting");
  const int roots = root_count(call, "client_roots");
  if (name != nullptr && !greeting.empty() && roots >= 0 && !call.inputs.state.is_null()) {
    return mcp::text_result(greeting + " " + as_text(*name) + ", " + std::to_string(roots) +
                            " roots");
  }
  return InputRequired{
      {elicitation("user_name", "What is your name?", text_schema("name")),
       sampling("greeting", "Generate a greeting", 50), list_roots("client_roots")},
      Json{{"asked", 3}}};
}

Outcome<ToolResult> ask_in_two_rounds(Call& call) {
  const Json* name = filled_in(call, "step1", "name");
  if (name == nullptr) {
    return InputRequired{{elicitation("step1", "Step 1: What is your name?", text_schema("name"))},
                         Json{{"round", 1}}};
  }
  const Json* color = filled_in(call, "step2", "color");
  if (color == nullptr) {
    return InputRequired{
        {elicitation("step2", "Step 2: What is your favorite color?", text_schema("color"))},
        Json{{"round", 2}}};
  }
  return mcp::text_result(as_text(*name) + " likes " + as_text(*color));
}

/// Asks for all that the client can answer, and for nothing else.
Outcome<ToolResult> ask_what_is_possible(Call& call) {
  if (!call.inputs.responses.empty()) return mcp::text_result("Asked and answered.");
  std::vector<InputRequest> requests;
  if (call.can_elicit()) {
    requests.push_back(elicitation("user_name", "What is your name?", text_schema("name")));
  }
  if (call.capabilities.contains("sampling")) {
    requests.push_back(sampling("greeting", "Generate a greeting", 50));
  }
  if (call.capabilities.contains("roots")) requests.push_back(list_roots("client_roots"));
  if (requests.empty()) return mcp::text_result("There is nobody to ask.");
  return InputRequired{std::move(requests)};
}

Outcome<ToolResult> stream(Call& call) {
  call.log(mcp::LogLevel::Info, "conformance", "Half way.");
  if (call.context.progress) call.context.progress(50, 100, "");
  return mcp::text_result("Streaming complete");
}

Tool with_argument(Tool made, const std::string& name, const std::string& description) {
  made.input_schema =
      object_schema({{name, {{"type", "string"}, {"description", description}}}}, {name});
  return made;
}

Tool needing(Tool made, const std::string& capability) {
  made.required_capabilities = Json{{capability, Json::object()}};
  return made;
}

}  // namespace

std::vector<Tool> asking_tools() {
  const std::string round_trip = "test_input_required_result_";
  return {
      with_argument(tool("test_sampling", "Asks the client's model.", ask_model), "prompt",
                    "What to ask."),
      with_argument(tool("test_elicitation", "Asks for a name and an address.", ask_person),
                    "message", "What to say."),
      tool("test_elicitation_sep1034_defaults", "Asks with defaults.", ask_with_defaults),
      tool("test_elicitation_sep1330_enums", "Asks with choices of every kind.", ask_with_enums),
      needing(tool("test_missing_capability", "Needs a client that has a model.",
                   [](Call&) -> Outcome<ToolResult> { return mcp::text_result("There is one."); }),
              "sampling"),
      needing(tool("test_streaming_elicitation", "Tells something before it is done.", stream),
              "elicitation"),
      tool(round_trip + "elicitation", "Asks for a name.", greet_person),
      tool(round_trip + "sampling", "Asks the model for a capital.", ask_for_capital),
      tool(round_trip + "list_roots", "Asks for the roots.", ask_for_roots),
      tool(round_trip + "request_state", "Asks, and wants its state back.", confirm_with_state),
      tool(round_trip + "tampered_state", "Asks, and wants its state back.", confirm_with_state),
      tool(round_trip + "multiple_inputs", "Asks three things at once.", ask_three_things),
      tool(round_trip + "multi_round", "Asks two things, one after the other.", ask_in_two_rounds),
      tool(round_trip + "capabilities", "Asks what the client can answer.", ask_what_is_possible),
  };
}

}  // namespace quiver::conformance
