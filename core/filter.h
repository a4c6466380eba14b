#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace quiver {

/// A condition on payloads, parsed from the grammar that clients write (docs/filters.md).
///
/// matches() is the reference semantics: an index may answer faster, never differently. Cheap to
/// copy; immutable; any thread.
class Filter {
 public:
  enum class Compare : std::uint8_t { Equal, Less, LessEqual, Greater, GreaterEqual, Prefix };

  struct Node;
  /// `path op operand`: true if any value that the path leads to satisfies it.
  struct Condition {
    /// Keys from the root; arrays on the way are looked through element by element.
    std::vector<std::string> path;
    Compare compare = Compare::Equal;
    /// A JSON scalar.
    Json operand;
  };
  /// True if the path leads to any value at all, null included.
  struct Exists {
    std::vector<std::string> path;
  };
  struct And {
    std::vector<Node> nodes;  ///< Empty: true.
  };
  struct Or {
    std::vector<Node> nodes;  ///< Empty: false.
  };
  struct Not {
    std::vector<Node> nodes;  ///< Exactly one.
  };
  struct Node {
    std::variant<And, Or, Not, Condition, Exists> value;
  };

  /// Errors: InvalidArgument saying where, what was wrong and what would be right.
  static Result<Filter> parse(const Json& json);

  bool matches(const Json& payload) const;
  const Node& root() const noexcept { return *root_; }
  /// The JSON that the filter was parsed from.
  const Json& source() const noexcept { return *source_; }
  /// Dotted paths that the filter looks at, without repetition.
  std::vector<std::string> paths() const;

 private:
  Filter(std::shared_ptr<const Node> root, std::shared_ptr<const Json> source);

  std::shared_ptr<const Node> root_;
  std::shared_ptr<const Json> source_;
};

}  // namespace quiver
