#include "api/rest/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/json_reader.h"
#include "service/problems.h"

namespace quiver::api {
namespace {

using service::Path;
using service::Problems;

std::string type_of(const Json& schema) {
  const auto type = schema.find("type");
  return type != schema.end() && type->is_string() ? type->get<std::string>() : "";
}

template <typename Number>
std::optional<Number> number(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || stopped != end || error != std::errc()) return std::nullopt;
  return value;
}

std::optional<Json> integer(const std::string& text) {
  if (const auto value = number<std::uint64_t>(text)) return Json(*value);
  if (const auto value = number<std::int64_t>(text)) return Json(*value);
  return std::nullopt;
}

/// Nothing, and a problem, if `text` is not what the schema has there.
std::optional<Json> value_of(const Json& schema, const std::string& text, const Path& path,
                             Problems& problems) {
  const auto wrong = [&](const char* wanted) {
    problems.add(path, std::string("expected ") + wanted + ", got " + service::shown(Json(text)));
    return std::nullopt;
  };
  if (text_form(schema) == TextForm::JsonText) {
    JsonReading read = read_json_text(text);
    if (read.kind == JsonReading::Kind::Whole) return std::move(read.root);
    problems.add(path, "expected JSON: " + read.problem);
    return std::nullopt;
  }
  const std::string type = type_of(schema);
  if (type == "string") return Json(text);
  if (type == "boolean") {
    if (text == "true" || text == "false") return Json(text == "true");
    return wrong("true or false");
  }
  if (type == "integer") {
    if (auto value = integer(text)) return value;
    return wrong("an integer");
  }
  const auto value = number<double>(text);
  if (value && std::isfinite(*value)) return Json(*value);
  return wrong("a number");
}

void add_path_fields(const Routes::Match& match, const Json& properties, Json& arguments,
                     Problems& problems) {
  const Path root("");
  for (const auto& [name, text] : match.fields) {
    const Path path(root, name);
    if (arguments.contains(name)) {
      problems.add(path, "the path has it; leave it out of the body");
      continue;
    }
    if (auto value = value_of(properties.at(name), text, path, problems)) {
      arguments[name] = *std::move(value);
    }
  }
}

void add_query(const Routes::Match& match, const Target& target, const Json& properties,
               Json& arguments, Problems& problems) {
  const auto taken = match.route->path_fields();
  std::vector<std::string> known;
  for (const auto& item : properties.items()) {
    const bool in_path = std::find(taken.begin(), taken.end(), item.key()) != taken.end();
    if (!in_path) known.push_back(item.key());
  }
  const Path root("");
  for (const auto& [name, text] : target.query) {
    const Path path(root, name);
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
      problems.add(path, "the path has it; leave it out of the query");
    } else if (!properties.contains(name)) {
      problems.unknown_field(root, name, known);
    } else if (arguments.contains(name)) {
      problems.add(path, "given twice; a query parameter may be given once");
    } else if (auto value = value_of(properties.at(name), text, path, problems)) {
      arguments[name] = *std::move(value);
    }
  }
}

}  // namespace

TextForm text_form(const Json& schema) {
  const std::string type = type_of(schema);
  const bool is_plain =
      type == "string" || type == "integer" || type == "number" || type == "boolean";
  return is_plain ? TextForm::Plain : TextForm::JsonText;
}

Result<Json> arguments_of(const Routes::Match& match, const Target& target,
                          std::optional<Json> body) {
  const RestRoute& route = *match.route;
  if (body && !body->is_object()) {
    return Error{ErrorCode::InvalidArgument,
                 std::string("body: expected an object, got ") + body->type_name()};
  }
  Problems problems;
  Json arguments = body ? *std::move(body) : Json::object();
  const Json& properties = route.operation->request_schema.at("properties");
  add_path_fields(match, properties, arguments, problems);
  if (!takes_body(route.method)) {
    add_query(match, target, properties, arguments, problems);
  } else if (!target.query.empty()) {
    const Path root("");
    problems.add(Path(root, target.query.front().first),
                 route.method + " takes no query parameters; give its fields in the body");
  }
  QV_CHECK(problems.status());
  return arguments;
}

}  // namespace quiver::api
