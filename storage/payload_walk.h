#pragma once

#include <cstddef>
#include <string>

#include "core/json.h"
#include "core/limits.h"
#include "core/scalar.h"

namespace quiver::storage {

/// Whether a path of a filter can have this key.
inline bool is_reachable(const std::string& key) {
  return !key.empty() && key.front() != '$' && key.find('.') == std::string::npos;
}

/// Walks a payload as Filter::matches() looks at it, and tells every place where a field is and
/// every scalar that the field has there.
///
/// `Sink` has `Field* field(const std::string& path)` for each place, and
/// `void value(Field&, const ScalarView&)`. A field that is nullptr is passed over.
template <typename Field, typename Sink>
class PayloadWalk {
 public:
  /// `sink` must outlive the walk.
  explicit PayloadWalk(Sink& sink) : sink_(sink) {}

  void run(const Json& payload) { descend(payload, nullptr, 0); }

 private:
  /// `depth` counts the containers around `value`; `field` is the one that it belongs to.
  void descend(const Json& value, Field* field, std::size_t depth) {
    if (field != nullptr) {
      if (const auto scalar = scalar_view(value)) sink_.value(*field, *scalar);
    }
    if (depth >= limits::kJsonDepthMax) return;
    if (value.is_array()) {
      for (const auto& element : value) descend(element, field, depth + 1);
    } else if (const auto* object = value.template get_ptr<const Json::object_t*>()) {
      for (const auto& [key, child] : *object) step(key, child, depth);
    }
  }

  void step(const std::string& key, const Json& child, std::size_t depth) {
    const std::size_t parent = path_.size();
    const std::size_t dot = parent == 0 ? 0 : 1;
    if (!is_reachable(key) || parent + dot + key.size() > limits::kFilterPathBytesMax) return;
    if (dot != 0) path_ += '.';
    path_ += key;
    descend(child, sink_.field(path_), depth + 1);
    path_.resize(parent);
  }

  Sink& sink_;
  std::string path_;
};

}  // namespace quiver::storage
