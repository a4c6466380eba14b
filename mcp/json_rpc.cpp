#include "mcp/json_rpc.h"

#include <utility>

#include "core/json_reader.h"
#include "core/text.h"

namespace quiver::mcp {
namespace {

bool is_id(const Json& json) {
  return json.is_number_integer() ||
         (json.is_string() && json.get_ref<const std::string&>().size() <= kIdBytesMax);
}

Fault invalid(Json id, std::string message) {
  return {std::move(id), {rpc::kInvalidRequest, std::move(message)}};
}

Response read_response(Json id, Json& json) {
  Response response{std::move(id), nullptr, nullptr};
  const auto error = json.find("error");
  if (error != json.end()) {
    response.error = std::move(*error);
    // Whatever it is, it is not a result.
    if (response.error.is_null()) response.error = Json::object();
  } else {
    response.result = std::move(json["result"]);
  }
  return response;
}

}  // namespace

std::variant<Json, Fault> read_json(std::string_view text, std::size_t memory_max) {
  JsonReading read = read_json_text(text, memory_max, "id");
  if (read.kind == JsonReading::Kind::Whole) return std::move(read.root);
  if (read.kind == JsonReading::Kind::Broken) {
    return Fault{nullptr, {rpc::kParseError, std::move(read.problem)}};
  }
  Json id = read.member && is_id(*read.member) ? *std::move(read.member) : Json(nullptr);
  return invalid(std::move(id), std::move(read.problem));
}

std::variant<Message, Fault> read_message(Json json) {
  if (!json.is_object()) {
    return invalid(nullptr, std::string("a message is an object, got ") + json.type_name());
  }
  Json id;
  const bool has_id = json.contains("id");
  const bool answers = json.contains("result") || json.contains("error");
  // Nothing answers an answer, not even one whose id says nothing: two sides could go on for ever.
  const bool is_response = answers && !json.contains("method");
  if (is_response && has_id && !is_id(json["id"])) json["id"] = nullptr;
  if (has_id && !(is_response && json["id"].is_null())) {
    id = std::move(json["id"]);
    if (!is_id(id)) {
      return invalid(nullptr, "id: must be an integer or a string of at most " +
                                  std::to_string(kIdBytesMax) + " bytes");
    }
  }
  const auto version = json.find("jsonrpc");
  if (version == json.end() || *version != "2.0") {
    return invalid(std::move(id), "jsonrpc: must be \"2.0\"");
  }
  const auto method = json.find("method");
  if (method == json.end()) {
    if (is_response) return Message{read_response(std::move(id), json)};
    return invalid(std::move(id), "method: required");
  }
  if (answers) return invalid(std::move(id), "a message has either a method or a result or error");
  if (!method->is_string()) return invalid(std::move(id), "method: must be a string");

  Json params = Json::object();
  if (const auto given = json.find("params"); given != json.end()) {
    if (!given->is_object()) return invalid(std::move(id), "params: must be an object");
    params = std::move(*given);
  }
  std::string name = std::move(method->get_ref<std::string&>());
  if (!has_id) return Message{Notification{std::move(name), std::move(params)}};
  return Message{Request{std::move(id), std::move(name), std::move(params)}};
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string result_reply(const Json& id, std::string_view result) {
  const std::string id_text = to_text(id);
  std::string reply;
  reply.reserve(result.size() + id_text.size() + 40);
  reply.append(R"({"jsonrpc":"2.0","id":)").append(id_text);
  reply.append(R"(,"result":)").append(result).append("}");
  return reply;
}

std::string error_reply(const Json& id, const RpcError& error) {
  Json body{{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) body["data"] = error.data;
  return R"({"jsonrpc":"2.0","id":)" + to_text(id) + R"(,"error":)" + to_text(body) + "}";
}

std::string error_reply(const Fault& fault) {
  return error_reply(fault.id, fault.error);
}

std::string notification_text(std::string_view method, const Json& params) {
  return R"({"jsonrpc":"2.0","method":)" + to_text(Json(method)) + R"(,"params":)" +
         to_text(params) + "}";
}

std::string display(std::string_view text) {
  return shown_text(text);
}

}  // namespace quiver::mcp
