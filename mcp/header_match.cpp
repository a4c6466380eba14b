#include "mcp/header_match.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/log.h"
#include "mcp/http_headers.h"

namespace quiver::mcp {
namespace {

constexpr std::string_view kMark = "x-mcp-header";

RpcError mismatch(std::string message) {
  return {rpc::kHeaderMismatch, "header mismatch: " + std::move(message)};
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  const auto is_token_char = [&](char c) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alphanumeric || kSymbols.find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_plain(const Json& schema) {
  const auto type = schema.find("type");
  return type != schema.end() && (*type == "string" || *type == "integer" || *type == "boolean");
}

void collect(const Json& schema, std::vector<std::string>& path, std::vector<ParamHeader>& found) {
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return;
  for (const auto& [key, property] : properties->items()) {
    if (!property.is_object()) continue;
    path.push_back(key);
    const auto mark = property.find(kMark);
    if (mark != property.end() && mark->is_string() &&
        is_token(mark->get_ref<const std::string&>()) && is_plain(property)) {
      found.push_back({"mcp-param-" + lower(mark->get_ref<const std::string&>()), path});
    } else if (mark != property.end()) {
      QV_LOG_ERROR("mcp.header_mark_ignored property={}", display(key));
    }
    collect(property, path, found);
    path.pop_back();
  }
}

const Json* find_argument(const Json& arguments, const std::vector<std::string>& path) {
  const Json* at = &arguments;
  for (const std::string& key : path) {
    if (!at->is_object()) return nullptr;
    const auto next = at->find(key);
    if (next == at->end()) return nullptr;
    at = &*next;
  }
  return at->is_null() ? nullptr : at;
}

template <typename Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// 42, 42.0 and 4.2e1 are the same.
bool same_number(const Json& body, std::string_view text) {
  if (body.is_number_unsigned()) {
    if (const auto number = read_number<std::uint64_t>(text)) return body == *number;
  } else if (body.is_number_integer()) {
    if (const auto number = read_number<std::int64_t>(text)) return body == *number;
  }
  const auto number = read_number<double>(text);
  return number && std::isfinite(*number) && body.get<double>() == *number;
}

bool same_value(const Json& body, const std::string& text) {
  if (body.is_string()) return body == text;
  if (body.is_boolean()) return text == (body.get<bool>() ? "true" : "false");
  return body.is_number() && same_number(body, text);
}

std::string shown(const Json* body) {
  if (body == nullptr) return "nothing";
  return body->is_string() ? display(body->get_ref<const std::string&>()) : display(to_text(*body));
}

/// Compares a header with a part of the body; null if there is none.
std::optional<RpcError> compare(const HttpRequest& http, const std::string& name,
                                const Json* body) {
  const auto value = header(http, name);
  if (!value) {
    // What is no plain value cannot be in a header, and is the tool's to refuse.
    if (body == nullptr || !body->is_primitive()) return std::nullopt;
    return mismatch(name + " is required: the body says " + shown(body));
  }
  const auto decoded = decode_header(*value);
  if (!decoded) return mismatch(name + " is not valid =?base64?...?=, or no plain ASCII");
  if (body != nullptr && same_value(*body, *decoded)) return std::nullopt;
  return mismatch(name + " is " + display(*decoded) + ", the body says " + shown(body));
}

/// Which of a method's params is in Mcp-Name; null: none.
const char* name_key(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  if (method == "resources/read") return "uri";
  const bool of_task =
      method == "tasks/get" || method == "tasks/update" || method == "tasks/cancel";
  return of_task ? "taskId" : nullptr;
}

}  // namespace

std::vector<ParamHeader> param_headers(const Json& input_schema) {
  std::vector<ParamHeader> found;
  std::vector<std::string> path;
  collect(input_schema, path, found);
  // Names that differ in case alone are one header: none of them can be relied on.
  std::erase_if(found, [all = found](const ParamHeader& header) {
    const auto same = [&](const ParamHeader& other) { return other.name == header.name; };
    return std::count_if(all.begin(), all.end(), same) > 1;
  });
  return found;
}

HeaderMatch::HeaderMatch(const std::vector<Tool>& tools) {
  for (const Tool& tool : tools) {
    auto headers = param_headers(tool.input_schema);
    if (!headers.empty()) tools_[tool.name] = std::move(headers);
  }
}

std::optional<RpcError> HeaderMatch::fault(const HttpRequest& http, const Request& request,
                                           const Json& version) const {
  const auto named = header(http, "mcp-protocol-version");
  if (!named) return mismatch("mcp-protocol-version is required");
  if (version != *named) {
    return mismatch("mcp-protocol-version is " + display(*named) + ", the body says " +
                    shown(&version));
  }
  const auto method = header(http, "mcp-method");
  if (!method) return mismatch("mcp-method is required");
  if (*method != request.method) {
    return mismatch("mcp-method is " + display(*method) + ", the body says " +
                    display(request.method));
  }
  const char* key = name_key(request.method);
  if (key == nullptr) return std::nullopt;
  const auto name = request.params.find(key);
  if (auto fault = compare(http, "mcp-name", name == request.params.end() ? nullptr : &*name)) {
    return fault;
  }
  return request.method == "tools/call" ? param_fault(http, request.params) : std::nullopt;
}

std::optional<RpcError> HeaderMatch::param_fault(const HttpRequest& http,
                                                 const Json& params) const {
  const auto name = params.find("name");
  if (name == params.end() || !name->is_string()) return std::nullopt;
  const auto tool = tools_.find(name->get_ref<const std::string&>());
  if (tool == tools_.end()) return std::nullopt;
  static const Json no_arguments = Json::object();
  const auto given = params.find("arguments");
  const Json& arguments = given == params.end() ? no_arguments : *given;
  for (const ParamHeader& header : tool->second) {
    if (auto fault = compare(http, header.name, find_argument(arguments, header.path))) {
      return fault;
    }
  }
  return std::nullopt;
}

}  // namespace quiver::mcp
