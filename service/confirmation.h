#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace quiver::service {

/// What a person is asked before something is destroyed.
struct Question {
  std::string text;
  /// How much would go. A yes holds for no more than that.
  std::uint64_t points = 0;
};

/// How a call that destroys is confirmed, by surfaces that can ask a person.
struct Confirmation {
  /// A call that destroys nothing and whose reply tells what would go.
  std::string preview;
  Json preview_arguments = Json::object();
  /// Made of that reply; nothing: nothing would go, so nobody need be asked.
  std::function<std::optional<Question>(const Json& reply)> question;
  /// Asked instead if what would go cannot be read now; empty: then the call fails as the preview.
  std::string unseen;
  /// The arguments of the call once a person has said yes.
  Json confirmed = Json::object();
  /// The collection that would lose something, where the reply does not say which of its name it
  /// is; empty: it does.
  std::string collection;
};

/// "1 point", "37 points".
std::string counted(std::uint64_t number, std::string_view one, std::string_view many);

/// JSON as a person is shown it before deciding: far longer than in an error.
std::string shown_in_question(const Json& value);

}  // namespace quiver::service
