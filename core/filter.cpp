#include "core/filter.h"

#include <algorithm>
#include <span>

#include "core/limits.h"

namespace quiver {
namespace {

using Path = std::span<const std::string>;

/// Whether `test` accepts any value that `path` leads to from `value`, which lies inside `depth`
/// containers. An array at the end of the path is a value as a whole here.
template <typename Test>
bool any_at(const Json& value, Path path, std::size_t depth, const Test& test) {
  if (path.empty()) return test(value, depth);
  if (depth >= limits::kJsonDepthMax) return false;
  if (value.is_array()) {
    return std::any_of(value.begin(), value.end(),
                       [&](const Json& element) { return any_at(element, path, depth + 1, test); });
  }
  if (!value.is_object()) return false;
  const auto child = value.find(path.front());
  return child != value.end() && any_at(*child, path.subspan(1), depth + 1, test);
}

/// Whether `test` accepts `value` or, where it is an array, anything in it.
template <typename Test>
bool any_scalar(const Json& value, std::size_t depth, const Test& test) {
  if (value.is_array()) {
    return depth < limits::kJsonDepthMax &&
           std::any_of(value.begin(), value.end(),
                       [&](const Json& element) { return any_scalar(element, depth + 1, test); });
  }
  const auto scalar = scalar_view(value);
  return scalar && test(*scalar);
}

template <typename T>
bool in_order(const T& value, Filter::Compare compare, const T& operand) {
  switch (compare) {
    case Filter::Compare::Equal: return value == operand;
    case Filter::Compare::Less: return value < operand;
    case Filter::Compare::LessEqual: return value <= operand;
    case Filter::Compare::Greater: return value > operand;
    case Filter::Compare::GreaterEqual: return value >= operand;
    case Filter::Compare::Prefix: break;
  }
  return false;
}

bool satisfies(const ScalarView& value, const Filter::Condition& condition) {
  const auto* text = std::get_if<std::string_view>(&value);
  if (const auto* operand = std::get_if<Instant>(&condition.operand)) {
    const auto instant = text != nullptr ? parse_instant(*text) : std::nullopt;
    return instant && in_order(*instant, condition.compare, *operand);
  }
  const ScalarView operand = scalar_view(condition.operand);
  if (value.index() != operand.index()) return false;
  if (condition.compare == Filter::Compare::Prefix) {
    return text != nullptr && text->starts_with(std::get<std::string_view>(operand));
  }
  return in_order(value, condition.compare, operand);
}

bool is_one_of(const ScalarView& value, const std::vector<Scalar>& operands) {
  const auto at = std::lower_bound(
      operands.begin(), operands.end(), value,
      [](const Scalar& operand, const ScalarView& v) { return scalar_view(operand) < v; });
  return at != operands.end() && scalar_view(*at) == value;
}

bool evaluate(const Filter::Node& node, const Json& payload);

/// One overload for each kind of node.
struct Evaluator {
  const Json& payload;

  bool operator()(const Filter::And& all) const {
    return std::all_of(all.nodes.begin(), all.nodes.end(),
                       [&](const Filter::Node& node) { return evaluate(node, payload); });
  }
  bool operator()(const Filter::Or& any) const {
    return std::any_of(any.nodes.begin(), any.nodes.end(),
                       [&](const Filter::Node& node) { return evaluate(node, payload); });
  }
  bool operator()(const Filter::Not& no) const { return !evaluate(no.nodes.front(), payload); }
  bool operator()(const Filter::Exists& exists) const {
    return any_at(payload, exists.path, 0, [](const Json&, std::size_t) { return true; });
  }
  bool operator()(const Filter::Condition& condition) const {
    return any_value(condition.path,
                     [&](const ScalarView& value) { return satisfies(value, condition); });
  }
  bool operator()(const Filter::AnyOf& any) const {
    return any_value(any.path,
                     [&](const ScalarView& value) { return is_one_of(value, any.operands); });
  }

 private:
  template <typename Test>
  bool any_value(Path path, const Test& test) const {
    return any_at(payload, path, 0, [&](const Json& value, std::size_t depth) {
      return any_scalar(value, depth, test);
    });
  }
};

bool evaluate(const Filter::Node& node, const Json& payload) {
  return std::visit(Evaluator{payload}, node.value);
}

void collect_paths(const Filter::Node& node, std::vector<std::string>& paths) {
  std::visit(
      [&](const auto& value) {
        if constexpr (requires { value.nodes; }) {
          for (const auto& child : value.nodes) collect_paths(child, paths);
        } else {
          std::string path = dotted(value.path);
          if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
            paths.push_back(std::move(path));
          }
        }
      },
      node.value);
}

}  // namespace

Filter::Filter(std::shared_ptr<const Node> root, std::shared_ptr<const Json> source)
    : root_(std::move(root)), source_(std::move(source)) {}

bool Filter::matches(const Json& payload) const {
  // An array is no payload: looking through it would find the fields of its elements.
  return payload.is_object() ? evaluate(*root_, payload) : evaluate(*root_, Json::object());
}

std::vector<std::string> Filter::paths() const {
  std::vector<std::string> paths;
  collect_paths(*root_, paths);
  return paths;
}

std::string dotted(const std::vector<std::string>& path) {
  std::string text;
  for (const auto& key : path) {
    if (!text.empty()) text += '.';
    text += key;
  }
  return text;
}

}  // namespace quiver
