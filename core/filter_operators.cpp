#include "core/filter_operators.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "core/limits.h"
#include "core/text.h"

namespace quiver::filter_grammar {
namespace {

using Node = Filter::Node;
using Path = std::vector<std::string>;

/// Of a client's key in a message; also the longest that is compared with operators.
constexpr std::size_t kShownBytesMax = 64;

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

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> result;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    result.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return result;
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

}  // namespace

bool is_word_of(std::string_view list, std::string_view word) {
  const auto all = words(list);
  return std::find(all.begin(), all.end(), word) != all.end();
}

Error invalid(const std::string& where, std::string_view what) {
  return Error{ErrorCode::InvalidArgument, where + ": " + std::string(what)};
}

Error unknown_operator(const std::string& where, std::string_view name, std::string_view known) {
  const auto* hint = std::find_if(kHints.begin(), kHints.end(),
                                  [&](const Hint& entry) { return entry.name == name; });
  std::string message = "unknown operator";
  if (hint != kHints.end()) {
    message += "; " + std::string(hint->advice);
  } else if (name.size() <= kShownBytesMax) {
    const std::string nearest = nearest_word(name, words(known));
    if (!nearest.empty()) message += "; did you mean " + in_quotes(nearest) + "?";
  }
  return invalid(where, message + (message.back() == '?' ? " " : "; ") +
                            "operators here: " + std::string(known));
}

std::string shown(std::string_view key) {
  const std::string_view front = utf8_prefix(key, kShownBytesMax);
  return std::string(front) + (front.size() < key.size() ? "..." : "");
}

std::string in_quotes(std::string_view text) {
  return "\"" + shown(text) + "\"";
}

Node negate(Node node) {
  Filter::Not negation;
  negation.nodes.push_back(std::move(node));
  return Node{std::move(negation)};
}

Result<Node> parse_equal(const std::string& where, const Path& path, const Json& operand) {
  QV_TRY(auto scalar, parse_scalar(where, operand));
  Node node{Filter::Condition{path, Filter::Compare::Equal, std::move(scalar)}};
  return operand.is_null() ? or_missing(path, std::move(node)) : std::move(node);
}

Result<Node> parse_operator(const std::string& where, const Path& path, std::string_view name,
                            const Json& operand) {
  using Compare = Filter::Compare;
  if (name == "$eq") return parse_equal(where, path, operand);
  if (name == "$gt") return parse_order(where, path, Compare::Greater, operand);
  if (name == "$gte") return parse_order(where, path, Compare::GreaterEqual, operand);
  if (name == "$lt") return parse_order(where, path, Compare::Less, operand);
  if (name == "$lte") return parse_order(where, path, Compare::LessEqual, operand);
  if (name == "$prefix") return parse_prefix(where, path, operand);
  if (name == "$in") return parse_any_of(where, path, operand);
  if (name == "$exists") return parse_exists(where, path, operand);
  if (name == "$ne" || name == "$nin") {
    QV_TRY(auto node,
           name == "$ne" ? parse_equal(where, path, operand) : parse_any_of(where, path, operand));
    return negate(std::move(node));
  }
  if (is_word_of(kCombiners, name)) {
    return invalid(where, "combines whole filters: write {\"" + std::string(name) + "\": [{\"" +
                              shown(dotted(path)) + "\": ...}, ...]}");
  }
  return unknown_operator(where, name, kOperators);
}

}  // namespace quiver::filter_grammar
