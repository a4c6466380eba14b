// The grammar of filters, docs/filters.md, as one recursive descent. `where` names the place that a
// function reads, as in "filter.year.$gte", and begins every message.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/filter.h"
#include "core/limits.h"
#include "core/text.h"

namespace quiver {
namespace {

using Node = Filter::Node;
using Path = std::vector<std::string>;

constexpr std::string_view kCombiners = "$and $or $nor $not";
constexpr std::string_view kOperators = "$eq $ne $gt $gte $lt $lte $in $nin $exists $prefix $not";

/// What to write instead of operators that other systems have.
struct Hint {
  std::string_view name;
  std::string_view advice;
};
constexpr std::array kHints = {
    Hint{"$date", "write the date-time as a string, as in \"2024-01-31T10:00:00Z\""},
    Hint{"$regex", "use $prefix for how a string begins"},
    Hint{"$like", "use $prefix for how a string begins"},
    Hint{"$startsWith", "use $prefix"},
    Hint{"$contains", "a plain value or $eq tests every element of an array"},
    Hint{"$elemMatch", "write dotted paths: arrays are looked through element by element"},
    Hint{"$all", "write one condition for each value and combine them with $and"},
    Hint{"$between", "use $gte and $lte together"},
    Hint{"$null", "write null: it matches where the field is missing or null"},
};

Error invalid(const std::string& where, std::string_view what) {
  return Error{ErrorCode::InvalidArgument, where + ": " + std::string(what)};
}

/// A key of the client's as a part of a place or message: long ones are cut.
std::string shown(std::string_view key) {
  constexpr std::size_t kShownBytesMax = 64;
  const std::string_view front = utf8_prefix(key, kShownBytesMax);
  return std::string(front) + (front.size() < key.size() ? "..." : "");
}

std::string in_quotes(std::string_view text) {
  return "\"" + shown(text) + "\"";
}

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> result;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    result.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return result;
}

bool is_word_of(std::string_view list, std::string_view word) {
  const auto all = words(list);
  return std::find(all.begin(), all.end(), word) != all.end();
}

Node negate(Node node) {
  Filter::Not negation;
  negation.nodes.push_back(std::move(node));
  return Node{std::move(negation)};
}

/// A sole node stands for itself.
Node conjunction(std::vector<Node> nodes) {
  if (nodes.size() == 1) return std::move(nodes.front());
  return Node{Filter::And{std::move(nodes)}};
}

Error unknown_operator(const std::string& where, std::string_view name, std::string_view known) {
  const auto* hint = std::find_if(kHints.begin(), kHints.end(),
                                  [&](const Hint& entry) { return entry.name == name; });
  std::string message = "unknown operator";
  if (hint != kHints.end()) {
    message += "; " + std::string(hint->advice);
  } else {
    const std::string nearest = nearest_word(name, words(known));
    if (!nearest.empty()) message += "; did you mean " + in_quotes(nearest) + "?";
  }
  return invalid(where, message + (message.back() == '?' ? " " : "; ") +
                            "operators here: " + std::string(known));
}

Result<Path> parse_path(const std::string& where, std::string_view text) {
  if (text.size() > limits::kFilterPathBytesMax) {
    return invalid(where, "a path has at most " + std::to_string(limits::kFilterPathBytesMax) +
                              " bytes, got " + std::to_string(text.size()));
  }
  Path path;
  for (bool more = true; more;) {
    const std::size_t dot = text.find('.');
    more = dot != std::string_view::npos;
    const std::string_view key = text.substr(0, dot);
    text.remove_prefix(more ? dot + 1 : text.size());
    if (key.empty()) {
      return invalid(where, R"(every key of a path needs a name, as in "author.name")");
    }
    if (key.front() == '$') {
      return invalid(where, in_quotes(key) +
                                R"( is an operator inside a path; write it inside the )"
                                R"(field, as in {"year": {"$gte": 2024}})");
    }
    path.emplace_back(key);
  }
  if (path.size() > limits::kJsonDepthMax) {
    return invalid(where, "a path has at most " + std::to_string(limits::kJsonDepthMax) +
                              " keys, got " + std::to_string(path.size()));
  }
  return path;
}

Result<Scalar> parse_scalar(const std::string& where, const Json& operand) {
  if (operand.is_object() && operand.contains("$date")) {
    return unknown_operator(where, "$date", kOperators);
  }
  if (operand.is_object()) {
    return invalid(where, R"(an object cannot be compared; write dotted paths to what is in it, )"
                          R"(as in {"author.name": "Ann"})");
  }
  if (operand.is_array()) {
    return invalid(where, R"(an array cannot be compared; to match any of its values write )"
                          R"({"$in": [...]})");
  }
  const auto view = scalar_view(operand);
  if (!view) return invalid(where, "must be a string, a number, a boolean or null");
  return std::visit(
      [](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>) {
          return Scalar(std::string(value));
        } else {
          return Scalar(value);
        }
      },
      *view);
}

/// Null is what is missing, too.
Node or_missing(const Path& path, Node node) {
  Filter::Or either;
  either.nodes.push_back(negate(Node{Filter::Exists{path}}));
  either.nodes.push_back(std::move(node));
  return Node{std::move(either)};
}

Result<Node> parse_equal(const std::string& where, const Path& path, const Json& operand) {
  QV_TRY(auto scalar, parse_scalar(where, operand));
  Node node{Filter::Condition{path, Filter::Compare::Equal, std::move(scalar)}};
  return operand.is_null() ? or_missing(path, std::move(node)) : std::move(node);
}

Result<Node> parse_order(const std::string& where, const Path& path, Filter::Compare compare,
                         const Json& operand) {
  if (!operand.is_number() && !operand.is_string()) {
    if (operand.is_object() && operand.contains("$date")) {
      return unknown_operator(where, "$date", kOperators);
    }
    return invalid(where, std::string("must be a number or a string (dates are strings, as in ") +
                              R"("2024-01-31"), got )" + operand.type_name());
  }
  QV_TRY(auto scalar, parse_scalar(where, operand));
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    if (const auto instant = parse_instant(*text)) scalar = *instant;
  }
  return Node{Filter::Condition{path, compare, std::move(scalar)}};
}

Result<Node> parse_prefix(const std::string& where, const Path& path, const Json& operand) {
  if (!operand.is_string()) {
    return invalid(where, std::string("must be a string, got ") + operand.type_name());
  }
  return Node{Filter::Condition{path, Filter::Compare::Prefix, Scalar(operand.get<std::string>())}};
}

Result<Node> parse_any_of(const std::string& where, const Path& path, const Json& operand) {
  if (!operand.is_array()) {
    return invalid(where, std::string(R"(must be an array of values, as in ["a", "b"], got )") +
                              operand.type_name());
  }
  if (operand.size() > limits::kFilterListMax) {
    return invalid(where, "must have at most " + std::to_string(limits::kFilterListMax) +
                              " values, got " + std::to_string(operand.size()));
  }
  Filter::AnyOf any{path, {}};
  any.operands.reserve(operand.size());
  for (std::size_t i = 0; i < operand.size(); ++i) {
    auto scalar = parse_scalar(where, operand[i]);
    // The place of an element is spelled out for a message only: there may be 10,000.
    if (!scalar.ok())
      return parse_scalar(where + "[" + std::to_string(i) + "]", operand[i]).error();
    any.operands.push_back(std::move(scalar).value());
  }
  std::sort(any.operands.begin(), any.operands.end());
  any.operands.erase(std::unique(any.operands.begin(), any.operands.end()), any.operands.end());
  // Null sorts first.
  const bool takes_null =
      !any.operands.empty() && std::holds_alternative<Null>(any.operands.front());
  Node node{std::move(any)};
  return takes_null ? or_missing(path, std::move(node)) : std::move(node);
}

Result<Node> parse_exists(const std::string& where, const Path& path, const Json& operand) {
  if (!operand.is_boolean()) {
    return invalid(where, std::string("must be true or false, got ") + operand.type_name());
  }
  Node node{Filter::Exists{path}};
  return operand.get<bool>() ? std::move(node) : negate(std::move(node));
}

/// Holds the bounds that belong to a whole filter.
class Parser {
 public:
  /// {"field": ..., "$and": [...]}: all must hold.
  Result<Node> filter(const std::string& where, const Json& json, std::size_t depth) {
    if (!json.is_object()) {
      return invalid(where, std::string(R"(must be an object, as in {"lang": "rust"}, got )") +
                                json.type_name());
    }
    QV_CHECK(check_depth(depth));
    if (json.empty()) QV_CHECK(count_condition());
    std::vector<Node> nodes;
    for (const auto& [key, operand] : json.items()) {
      const std::string place = where + "." + shown(key);
      const bool combines = key.starts_with("$");
      QV_TRY(auto node, combines ? combiner(place, key, operand, depth + 1)
                                 : field(place, key, operand, depth + 1));
      nodes.push_back(std::move(node));
    }
    return conjunction(std::move(nodes));
  }

 private:
  static Status check_depth(std::size_t depth) {
    if (depth < limits::kJsonDepthMax) return Done{};
    return invalid("filter", "must not be nested deeper than " +
                                 std::to_string(limits::kJsonDepthMax) + " levels");
  }

  Status count_condition() {
    if (++conditions_ <= limits::kFilterNodesMax) return Done{};
    return invalid("filter", "must have at most " + std::to_string(limits::kFilterNodesMax) +
                                 " conditions; values of one field belong into one $in");
  }

  Result<Node> combiner(const std::string& where, const std::string& name, const Json& operand,
                        std::size_t depth) {
    if (name == "$not") {
      QV_TRY(auto node, filter(where, operand, depth));
      return negate(std::move(node));
    }
    if (!is_word_of(kCombiners, name)) {
      if (is_word_of(kOperators, name)) {
        return invalid(where, "belongs inside a field, as in {\"field\": {\"" + name + "\": ...}}");
      }
      return unknown_operator(where, name, kCombiners);
    }
    if (!operand.is_array() || operand.empty()) {
      const char* got = operand.is_array() ? "an empty one" : operand.type_name();
      return invalid(where, std::string("must be a non-empty array of filters, got ") + got);
    }
    QV_CHECK(check_depth(depth));
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < operand.size(); ++i) {
      QV_TRY(auto node, filter(where + "[" + std::to_string(i) + "]", operand[i], depth + 1));
      nodes.push_back(std::move(node));
    }
    if (name == "$and") return conjunction(std::move(nodes));
    Node any{Filter::Or{std::move(nodes)}};
    return name == "$or" ? std::move(any) : negate(std::move(any));
  }

  Result<Node> field(const std::string& where, const std::string& name, const Json& operand,
                     std::size_t depth) {
    QV_TRY(const auto path, parse_path(where, name));
    if (operand.is_object()) return operators(where, path, operand, depth);
    QV_CHECK(count_condition());
    return parse_equal(where, path, operand);
  }

  /// {"$gte": 1, "$lt": 5}: all must hold for the field.
  Result<Node> operators(const std::string& where, const Path& path, const Json& object,
                         std::size_t depth) {
    QV_CHECK(check_depth(depth));
    if (object.empty()) {
      return invalid(
          where, "must be a value or have an operator; operators here: " + std::string(kOperators));
    }
    std::vector<Node> nodes;
    for (const auto& [name, operand] : object.items()) {
      const std::string place = where + "." + shown(name);
      if (!name.starts_with("$")) return not_an_operator(place, path, name);
      QV_CHECK(count_condition());
      QV_TRY(auto node, apply(place, path, name, operand, depth + 1));
      nodes.push_back(std::move(node));
    }
    return conjunction(std::move(nodes));
  }

  static Error not_an_operator(const std::string& where, const Path& path,
                               const std::string& name) {
    if (is_word_of(kOperators, "$" + name)) {
      return invalid(where, "operators start with $: write " + in_quotes("$" + name));
    }
    return invalid(where, "not an operator; to reach a nested field write the path " +
                              in_quotes(dotted(path) + "." + name) +
                              "; operators here: " + std::string(kOperators));
  }

  Result<Node> apply(const std::string& where, const Path& path, const std::string& name,
                     const Json& operand, std::size_t depth) {
    using Compare = Filter::Compare;
    if (name == "$eq") return parse_equal(where, path, operand);
    if (name == "$gt") return parse_order(where, path, Compare::Greater, operand);
    if (name == "$gte") return parse_order(where, path, Compare::GreaterEqual, operand);
    if (name == "$lt") return parse_order(where, path, Compare::Less, operand);
    if (name == "$lte") return parse_order(where, path, Compare::LessEqual, operand);
    if (name == "$prefix") return parse_prefix(where, path, operand);
    if (name == "$in") return parse_any_of(where, path, operand);
    if (name == "$exists") return parse_exists(where, path, operand);
    if (name == "$ne" || name == "$nin" || name == "$not") {
      QV_TRY(auto node, name == "$ne"    ? parse_equal(where, path, operand)
                        : name == "$nin" ? parse_any_of(where, path, operand)
                                         : opposite_of(where, path, operand, depth));
      return negate(std::move(node));
    }
    if (is_word_of(kCombiners, name)) {
      return invalid(where, "combines whole filters: write {\"" + name + "\": [{\"" +
                                shown(dotted(path)) + "\": ...}, ...]}");
    }
    return unknown_operator(where, name, kOperators);
  }

  /// The operand of a field's $not.
  Result<Node> opposite_of(const std::string& where, const Path& path, const Json& operand,
                           std::size_t depth) {
    if (operand.is_object()) return operators(where, path, operand, depth);
    return invalid(where, std::string(R"(must be an object of operators, as in {"$gte": 2024}, )") +
                              "got " + operand.type_name() + "; for a value use $ne");
  }

  std::size_t conditions_ = 0;
};

}  // namespace

Result<Filter> Filter::parse(const Json& json) {
  QV_TRY(auto root, Parser().filter("filter", json, 0));
  return Filter(std::make_shared<const Node>(std::move(root)), std::make_shared<const Json>(json));
}

}  // namespace quiver
