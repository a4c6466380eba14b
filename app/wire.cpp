#include "app/wire.h"

#include <array>
#include <utility>

namespace quiver::app::wire {
namespace {

constexpr std::size_t kLengthBytes = 4;
/// The deepest arguments and the envelope around them.
constexpr std::size_t kDepthMax = limits::kJsonDepthMax + 4;
/// Consumed bytes are given back once they are this many.
constexpr std::size_t kCompactBytes = std::size_t{64} << 10;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

Error malformed(const std::string& what) {
  return {ErrorCode::InvalidArgument, "not a message between Quiver processes: " + what};
}

Result<std::string> framed(const std::string& body) {
  if (body.size() > kFrameBytesMax) {
    return Error{ErrorCode::ResourceExhausted,
                 "a message of " + std::to_string(body.size()) + " bytes is too large; at most " +
                     std::to_string(kFrameBytesMax) + "; ask for less at once"};
  }
  std::string out;
  out.reserve(kLengthBytes + body.size());
  for (unsigned i = 0; i < kLengthBytes; ++i) out += static_cast<char>(body.size() >> (8 * i));
  return out + body;
}

std::string dump_for_people(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// `head` with one more member that may be large and is not copied into it.
Result<std::string> framed_with(const Json& head, const char* name, const Json& large) {
  std::string body = dump_for_people(head);
  body.pop_back();
  body += std::string(",\"") + name + "\":";
  try {
    body += large.dump();
  } catch (const Json::exception& problem) {
    return Error{ErrorCode::InvalidArgument, std::string(name) + ": " + problem.what()};
  }
  return framed(body + "}");
}

Result<std::string> encode_reply(const Reply& reply) {
  Json head{{"type", "reply"}, {"n", reply.n}};
  if (reply.is_closing) {
    head["closing"] = true;
    return framed(head.dump());
  }
  if (reply.outcome.ok()) return framed_with(head, "result", *reply.outcome);
  head["error"] = {{"code", static_cast<unsigned>(reply.outcome.error().code)},
                   {"message", reply.outcome.error().message}};
  return framed(dump_for_people(head));
}

constexpr std::array kKinds{service::Change::Kind::CollectionsChanged,
                            service::Change::Kind::PointsChanged};

std::string_view name_of(service::Change::Kind kind) {
  return kind == service::Change::Kind::CollectionsChanged ? "collections" : "points";
}

Result<std::string> encode_changed(const Changed& changed) {
  Json json{{"type", "changed"}};
  for (const auto kind : kKinds) json[std::string(name_of(kind))] = Json::array();
  for (const auto& [kind, collection] : changed.changes) {
    json[std::string(name_of(kind))].push_back(collection);
  }
  return framed(dump_for_people(json));
}

/// Whether brackets outside of strings nest no deeper than allowed: printing recurses.
bool is_shallow(std::string_view body) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDepthMax) return false;
    } else if (c == '}' || c == ']') {
      if (depth-- == 0) return false;
    }
  }
  return true;
}

std::uint64_t number(const Json& json, const char* name) {
  const Json& value = json.at(name);
  if (!value.is_number_unsigned()) throw std::invalid_argument(name);
  return value.get<std::uint64_t>();
}

Message decode_invoke(Json& json) {
  Invoke invoke;
  invoke.n = number(json, "n");
  json.at("operation").get_to(invoke.operation);
  invoke.arguments = std::move(json.at("arguments"));
  const auto id = RequestId::from_hex(json.at("request_id").get_ref<const std::string&>());
  if (!id.ok()) throw std::invalid_argument("request_id");
  invoke.request_id = *id;
  if (json.contains("timeout_ms")) {
    invoke.timeout_ms = json.at("timeout_ms").get<std::int64_t>();
  }
  json.at("progress").get_to(invoke.wants_progress);
  return invoke;
}

Message decode_reply(Json& json) {
  Reply reply;
  reply.n = number(json, "n");
  if (json.contains("closing")) {
    reply.is_closing = true;
  } else if (json.contains("result")) {
    reply.outcome = std::move(json.at("result"));
  } else {
    const Json& error = json.at("error");
    const auto code = number(error, "code");
    // A code of a newer peer reads as Internal.
    const bool is_known = code >= 1 && code <= static_cast<std::uint64_t>(ErrorCode::Internal);
    reply.outcome = Error{is_known ? static_cast<ErrorCode>(code) : ErrorCode::Internal,
                          error.at("message").get<std::string>()};
  }
  return reply;
}

Message decode_changed(const Json& json) {
  Changed out;
  for (const auto kind : kKinds) {
    for (const auto& name : json.at(std::string(name_of(kind)))) {
      out.changes.push_back({kind, name.get<std::string>()});
    }
  }
  return out;
}

/// Throws what nlohmann throws, or invalid_argument.
Message decode_object(Json& json) {
  const std::string type = json.at("type").get<std::string>();
  if (type == "invoke") return decode_invoke(json);
  if (type == "reply") return decode_reply(json);
  if (type == "cancel") return Cancel{number(json, "n")};
  if (type == "ping") return Ping{};
  if (type == "pong") return Pong{};
  if (type == "refused") return Refused{json.at("message").get<std::string>()};
  if (type == "hello") {
    return Hello{static_cast<std::uint32_t>(number(json, "protocol")),
                 json.at("version").get<std::string>(), json.at("pid").get<std::int64_t>()};
  }
  if (type == "progress") {
    return Progress{number(json, "n"), number(json, "done"), number(json, "total"),
                    json.at("message").get<std::string>()};
  }
  if (type == "changed") return decode_changed(json);
  throw std::invalid_argument("unknown type");
}

}  // namespace

Result<std::string> encode_invoke(const Invoke& head, const Json& arguments) {
  Json json{{"type", "invoke"},
            {"n", head.n},
            {"operation", head.operation},
            {"request_id", head.request_id.hex()},
            {"progress", head.wants_progress}};
  if (head.timeout_ms) json["timeout_ms"] = *head.timeout_ms;
  return framed_with(json, "arguments", arguments);
}

Result<std::string> encode(const Message& message) {
  return std::visit(
      Overloaded{
          [](const Hello& m) {
            return framed(dump_for_people({{"type", "hello"},
                                           {"protocol", m.protocol},
                                           {"version", m.version},
                                           {"pid", m.pid}}));
          },
          [](const Refused& m) {
            return framed(dump_for_people({{"type", "refused"}, {"message", m.message}}));
          },
          [](const Invoke& m) { return encode_invoke(m, m.arguments); },
          [](const Cancel& m) {
            return framed(Json({{"type", "cancel"}, {"n", m.n}}).dump());
          },
          [](const Progress& m) {
            return framed(dump_for_people({{"type", "progress"},
                                           {"n", m.n},
                                           {"done", m.done},
                                           {"total", m.total},
                                           {"message", m.message}}));
          },
          [](const Reply& m) { return encode_reply(m); },
          [](const Ping&) { return framed(R"({"type":"ping"})"); },
          [](const Pong&) { return framed(R"({"type":"pong"})"); },
          [](const Changed& m) { return encode_changed(m); },
      },
      message);
}

Result<Message> decode(std::string_view body) {
  if (!is_shallow(body)) return malformed("nested too deeply");
  try {
    Json json = Json::parse(body);
    return decode_object(json);
  } catch (const std::exception& problem) {
    return malformed(problem.what());
  }
}

Result<std::optional<std::string_view>> FrameBuffer::next(std::size_t bytes_max) {
  using Body = std::optional<std::string_view>;
  const std::size_t available = bytes_.size() - read_;
  if (available >= kLengthBytes) {
    std::size_t length = 0;
    for (unsigned i = 0; i < kLengthBytes; ++i) {
      length |= std::size_t{static_cast<unsigned char>(bytes_[read_ + i])} << (8 * i);
    }
    if (length > bytes_max) {
      return Error{ErrorCode::ResourceExhausted, "a frame of " + std::to_string(length) +
                                                     " bytes is larger than the " +
                                                     std::to_string(bytes_max) + " allowed"};
    }
    if (available - kLengthBytes >= length) {
      const std::string_view body = std::string_view(bytes_).substr(read_ + kLengthBytes, length);
      read_ += kLengthBytes + length;
      return Body(body);
    }
  }
  if (read_ == bytes_.size()) {
    bytes_.clear();
    // A large message is rare; its memory would stay for as long as the connection.
    if (bytes_.capacity() > kCompactBytes) bytes_.shrink_to_fit();
    read_ = 0;
  } else if (read_ > kCompactBytes) {
    bytes_.erase(0, read_);
    read_ = 0;
  }
  return Body(std::nullopt);
}

}  // namespace quiver::app::wire
