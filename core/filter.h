#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/scalar.h"

namespace quiver {

/// A condition on payloads, parsed from the grammar that clients write (docs/filters.md).
///
/// matches() is the reference semantics: an index may answer faster, never differently. Cheap to
/// copy; immutable; any thread.
///
/// A path leads from the payload's root by keys, never by positions: arrays on the way and at the
/// end are looked through element by element, arrays in arrays too. Keys that are empty, start
/// with "$" or hold a "." cannot be reached, nor can what lies deeper than limits::kJsonDepthMax.
class Filter {
 public:
  enum class Compare : std::uint8_t { Equal, Less, LessEqual, Greater, GreaterEqual, Prefix };

  struct Node;
  /// `path op operand`: true if any value that the path leads to satisfies it.
  struct Condition {
    /// Keys from the root.
    std::vector<std::string> path;
    Compare compare = Compare::Equal;
    /// An Instant compares with the strings that parse_instant() reads and with nothing else. It
    /// comes with the four orders only, which never have null or a boolean. Prefix has a string.
    Scalar operand;
  };
  /// True if any value that the path leads to equals one of the operands.
  struct AnyOf {
    std::vector<std::string> path;
    /// Sorted, without repetition; no Instant among them.
    std::vector<Scalar> operands;
  };
  /// True if the path leads to any value at all: null and empty arrays and objects included.
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
    std::variant<And, Or, Not, Condition, AnyOf, Exists> value;
  };

  /// Errors: InvalidArgument saying where, what was wrong and what would be right.
  static Result<Filter> parse(const Json& json);

  /// False for what is not an object, unless the filter asks for nothing that a payload has.
  bool matches(const Json& payload) const;
  const Node& root() const noexcept { return *root_; }
  /// The JSON that the filter was parsed from.
  const Json& source() const noexcept { return *source_; }
  /// Dotted paths that the filter looks at, without repetition, in order of appearance.
  std::vector<std::string> paths() const;

 private:
  Filter(std::shared_ptr<const Node> root, std::shared_ptr<const Json> source);

  std::shared_ptr<const Node> root_;
  std::shared_ptr<const Json> source_;
};

/// A path as clients write it: its keys with a "." between them.
std::string dotted(const std::vector<std::string>& path);

}  // namespace quiver
