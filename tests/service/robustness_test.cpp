// Arguments made at random from each operation's own schema, and then spoilt: whatever comes, an
// operation answers or refuses in words, and never fails by a bug.

#include <random>

#include "core/text.h"
#include "service/operations/collection_create.h"
#include "service/operations/collection_info.h"
#include "service/operations/collection_list.h"
#include "service/operations/memory_delete.h"
#include "service/operations/memory_get.h"
#include "service/operations/memory_search.h"
#include "service/operations/memory_store.h"
#include "service/operations/vector_scroll.h"
#include "service/operations/vector_search.h"
#include "world.h"

namespace quiver::service {
namespace {

class Arguments {
 public:
  explicit Arguments(std::uint32_t seed) : random_(seed) {}

  Json make(const Json& schema) {
    Json out = Json::object();
    for (const auto& property : schema["properties"].items()) {
      const auto& required = schema.value("required", Json::array());
      const bool needed =
          std::find(required.begin(), required.end(), property.key()) != required.end();
      if (needed || below(3) == 0) out[property.key()] = value(property.value());
      if (below(20) == 0) out[property.key()] = nonsense();
    }
    if (below(15) == 0) out[text()] = nonsense();
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  Json value(const Json& schema) {
    if (schema.contains("enum")) return schema["enum"][below(schema["enum"].size())];
    const auto type =
        schema["type"].is_array() ? schema["type"][below(schema["type"].size())] : schema["type"];
    if (type == "string") return text();
    if (type == "boolean") return below(2) == 0;
    if (type == "number") return (static_cast<double>(below(3000)) - 1000) / 1000;
    if (type == "integer") return number(schema);
    if (type == "array") {
      Json out = Json::array();
      for (auto n = below(10) == 0 ? below(300) : 1 + below(7); n > 0; --n)
        out.push_back(value(schema["items"]));
      return out;
    }
    return schema.contains("properties") ? make(schema) : filter(3);
  }

  Json number(const Json& schema) {
    const auto low = schema.value("minimum", std::int64_t{0});
    const auto high = std::min(schema.value("maximum", std::int64_t{100}), low + 1000);
    if (below(10) == 0) return low - 1;
    return low + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low + 1)));
  }

  std::string text() {
    static const std::vector<std::string> all{
        "cat", "dog fish", "notes", "raw", "memory", "", "\u65e5\u672c\"\\\n", "AACAPw==", "7"};
    if (below(50) == 0) return std::string(below(70'000), 'x');
    return all[below(all.size())];
  }

  Json filter(int depth) {
    static const std::vector<std::string> keys{"a", "b.c", "$and", "$or", "$not", "$nope", "$gte"};
    Json out = Json::object();
    for (auto n = below(3); n > 0; --n) {
      const auto& key = keys[below(keys.size())];
      out[key] = below(2) == 0 || depth == 0 ? nonsense() : filter(depth - 1);
      if ((key == "$and" || key == "$or") && depth > 0) out[key] = Json::array({filter(depth - 1)});
    }
    return out;
  }

  Json nonsense() {
    switch (below(8)) {
      case 0: return nullptr;
      case 1: return -1;
      case 2: return 1e308;
      case 3: return text();
      case 4: return Json::array({1, "a", Json::array()});
      case 5: return Json{{"a", {{"b", 1}}}};
      case 6: return true;
      default: return UINT64_MAX;
    }
  }

  std::mt19937 random_;
};

/// What is wrong with `value` under the part of JSON Schema that our schemas use; empty if nothing.
std::string violation(const Json& schema, const Json& value) {
  const auto is = [&](const Json& type) {
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
           (type == "integer" && value.is_number_integer()) ||
           (type == "number" && value.is_number());
  };
  if (schema.contains("type")) {
    const auto types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    if (std::none_of(types.begin(), types.end(), is))
      return value.dump() + " is no " + types.dump();
  }
  if (value.is_array() && schema.contains("items")) {
    for (const auto& item : value) {
      if (const auto wrong = violation(schema["items"], item); !wrong.empty()) return wrong;
    }
  }
  if (!schema.contains("properties")) return "";
  for (const auto& name : schema.value("required", Json::array())) {
    if (!value.contains(name)) return "without " + name.get<std::string>();
  }
  for (const auto& item : value.items()) {
    if (!schema["properties"].contains(item.key())) return "with " + item.key();
    const auto wrong = violation(schema["properties"][item.key()], item.value());
    if (!wrong.empty()) return item.key() + ": " + wrong;
  }
  return "";
}

template <Described Request>
void check_round_trip() {
  int parsed = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const auto request = parse<Request>(Arguments(seed).make(schema_of<Request>()), "");
    if (!request.ok()) continue;
    ++parsed;
    const auto written = encode(*request);
    INFO(written.dump().substr(0, 1000));
    CHECK(violation(schema_of<Request>(), written).empty());
    const auto again = parse<Request>(Json::parse(written.dump()), "");
    REQUIRE(again.ok());
    CHECK(encode(*again) == written);
  }
  CHECK(parsed > 5);
}

TEST_CASE("requests: what is encoded parses to the same request", "[service]") {
  check_round_trip<CollectionCreateRequest>();
  check_round_trip<CollectionInfoRequest>();
  check_round_trip<CollectionListRequest>();
  check_round_trip<MemoryDeleteRequest>();
  check_round_trip<MemoryGetRequest>();
  check_round_trip<MemorySearchRequest>();
  check_round_trip<MemoryStoreRequest>();
  check_round_trip<VectorScrollRequest>();
  check_round_trip<VectorSearchRequest>();
}

TEST_CASE("operations: no request is a bug, every reply is what its schema says", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "notes"}});
  world.ok("collection_create", {{"name", "raw"}, {"dimension", 7}});
  std::map<std::string, int> answered;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    Arguments arguments(seed);
    const auto& all = world.registry.operations();
    const auto& operation = all[seed % all.size()];
    const auto made = arguments.make(operation.request_schema);
    INFO("seed " << seed << " " << operation.name << " " << made.dump().substr(0, 1000));
    const auto reply = world.executor.invoke(world.call, operation.name, made);
    if (reply.ok()) {
      ++answered[operation.name];
      INFO(reply->dump().substr(0, 1000));
      CHECK(violation(operation.response_schema, *reply) == "");
      continue;
    }
    INFO(reply.error().message);
    CHECK(reply.error().code != ErrorCode::Internal);
    CHECK(!reply.error().message.empty());
    CHECK(reply.error().message.size() < 8000);
    CHECK(is_utf8(reply.error().message));
  }
  // The arguments are not all nonsense.
  for (const char* name : {"memory_store", "memory_search", "memory_get", "collection_list"}) {
    INFO(name);
    CHECK(answered[name] > 10);
  }
}

}  // namespace
}  // namespace quiver::service
