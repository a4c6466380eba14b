// The grammar of filters, docs/filters.md, as one recursive descent over objects and paths; single
// operators are filter_operators.h's.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/filter.h"
#include "core/filter_operators.h"
#include "core/limits.h"

namespace quiver {
namespace {

using namespace filter_grammar;  // NOLINT: this file is the other half of that grammar
using Node = Filter::Node;
using Path = std::vector<std::string>;

/// A sole node stands for itself.
Node conjunction(std::vector<Node> nodes) {
  if (nodes.size() == 1) return std::move(nodes.front());
  return Node{Filter::And{std::move(nodes)}};
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
      QV_TRY(auto node, name == "$not" ? opposite_of(place, path, operand, depth + 1)
                                       : parse_operator(place, path, name, operand));
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

  /// The operand of a field's $not.
  Result<Node> opposite_of(const std::string& where, const Path& path, const Json& operand,
                           std::size_t depth) {
    if (operand.is_object()) {
      QV_TRY(auto node, operators(where, path, operand, depth));
      return negate(std::move(node));
    }
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
