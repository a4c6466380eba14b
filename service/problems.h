#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace quiver::service {

/// A place in the arguments of a call, such as points[3].id. Written out only when something is
/// wrong there, so that the way down costs nothing. Borrows its parent and its key.
class Path {
 public:
  /// The root: a name for messages, or empty for the arguments themselves.
  explicit Path(std::string_view root) : key_(root) {}
  Path(const Path& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Path(const Path& parent, std::size_t index) : parent_(&parent), index_(index), is_index_(true) {}

  std::string str() const;

 private:
  const Path* parent_ = nullptr;
  std::string_view key_;
  std::size_t index_ = 0;
  bool is_index_ = false;
};

/// What is wrong with a request, all of it at once, so that a model needs one correction and not
/// one for each mistake.
class Problems {
 public:
  /// A message lists this many; more would bury the first.
  static constexpr std::size_t kListedMax = 10;

  void add(const Path& path, std::string_view problem);
  /// For a message that names its place itself.
  void add(std::string message);
  void take(Problems&& others);

  bool empty() const noexcept { return messages_.empty(); }
  /// There is no use in looking for more.
  bool full() const noexcept { return messages_.size() >= kListedMax; }
  /// InvalidArgument with every problem. Only when not empty().
  Error error() const;
  /// Errors: error(), if there is one.
  Status status() const;

  void expected(const Path& path, std::string_view want, const Json& got);
  /// `known`: the fields that an object has.
  void unknown_field(const Path& path, std::string_view name,
                     const std::vector<std::string>& known);

 private:
  std::vector<std::string> messages_;
};

/// Compact JSON. Never throws: bytes that are not UTF-8, which no parser lets through, become
/// replacement characters.
std::string compact(const Json& value);

/// `value` as it is shown in a message: compact JSON, cut when long.
std::string shown(const Json& value);

}  // namespace quiver::service
