// Builds JSON from its text within bounds. nlohmann's own builder knows none: it nests as deep as
// the text does, keeps the last of two equal keys, and spends up to 64 bytes on two.

#include "core/json_reader.h"

#include <optional>
#include <utility>
#include <vector>

#include "core/json_integers.h"
#include "core/limits.h"
#include "core/text.h"

namespace quiver {
namespace {

/// What nlohmann calls while it scans. After the first refusal nothing more is built, but the scan
/// goes on: to find the member that was asked for, and to tell a refused message from a broken one.
class BoundedBuilder {
 public:
  BoundedBuilder(std::size_t memory_max, std::string_view member)
      : memory_max_(memory_max), member_name_(member) {}

  // The interface that nlohmann::json::sax_parse asks for.
  bool null() { return leaf(nullptr); }
  bool boolean(bool value) { return leaf(value); }
  bool number_integer(Json::number_integer_t value) { return leaf(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return leaf(value); }
  bool number_float(Json::number_float_t value, const std::string& text) {
    if (is_integer_text(text)) refuse(integer_too_large(text));
    return leaf(value);
  }
  bool string(std::string& value) {
    charge(kStringBytes + value.size());
    return leaf(std::move(value));
  }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object(), kObjectBytes); }
  bool start_array(std::size_t) { return open(Json::array(), kArrayBytes); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    if (depth_ == 1) {
      at_member_ = !member_name_.empty() && name == member_name_;
      members_seen_ += at_member_ ? 1 : 0;
    }
    charge(kMemberBytes + name.size());
    if (refusal_) return true;
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, fresh] = members.try_emplace(std::move(name), nullptr);
    if (!fresh) {
      refuse("key " + shown_text(member->first) + " appears twice in one object");
      return true;
    }
    slot_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) {
    constexpr int kNumberOverflow = 406;
    syntax_ = (error.id == kNumberOverflow ? "a number is out of range at byte "
                                           : "not valid JSON: unexpected at byte ") +
              std::to_string(position);
    return false;
  }

  const std::optional<std::string>& syntax() const { return syntax_; }
  const std::optional<std::string>& refusal() const { return refusal_; }
  Json take_root() { return std::move(root_); }
  std::optional<Json> take_member() {
    return members_seen_ == 1 ? std::move(member_) : std::nullopt;
  }

 private:
  // What nlohmann and libstdc++ spend on one of each, allocation headers included.
  static constexpr std::size_t kValueBytes = 16;
  static constexpr std::size_t kStringBytes = 48;
  static constexpr std::size_t kArrayBytes = 32;
  static constexpr std::size_t kBlockBytes = 16;
  static constexpr std::size_t kObjectBytes = 64;
  static constexpr std::size_t kMemberBytes = 80;

  bool leaf(Json value) {
    if (!in_array()) charge(kValueBytes);
    if (depth_ == 1 && at_member_) member_ = value;
    at_member_ = false;
    if (!refusal_) place(std::move(value));
    return true;
  }

  bool open(Json container, std::size_t bytes) {
    at_member_ = false;
    ++depth_;
    charge(bytes + (in_array() ? 0 : kValueBytes));
    if (depth_ > limits::kJsonDepthMax) {
      refuse("nested too deep: at most " + std::to_string(limits::kJsonDepthMax) + " levels");
    }
    if (refusal_) return true;
    if (Json* placed = place(std::move(container))) open_.push_back(placed);
    return true;
  }

  bool close() {
    --depth_;
    if (!refusal_) open_.pop_back();
    return true;
  }

  Json* place(Json value) {
    Json* target = &root_;
    if (!open_.empty()) {
      if (open_.back()->is_array()) {
        if (!make_room(open_.back()->get_ref<Json::array_t&>())) return nullptr;
        open_.back()->push_back(nullptr);
        target = &open_.back()->back();
      } else {
        target = slot_;
      }
    }
    *target = std::move(value);
    return target;
  }

  bool in_array() const { return !refusal_ && !open_.empty() && open_.back()->is_array(); }

  /// An array that is full takes twice its share, and its old one until that has been copied: both
  /// must fit before it grows.
  bool make_room(Json::array_t& array) {
    if (array.size() < array.capacity()) return true;
    const std::size_t old = array.capacity();
    const std::size_t grown = old == 0 ? 1 : 2 * old;
    if (!fits(grown * kValueBytes)) return false;
    array.reserve(grown);
    bytes_ += (grown - old) * kValueBytes + (old == 0 ? kBlockBytes : 0);
    return true;
  }

  void charge(std::size_t bytes) {
    bytes_ += bytes;
    fits(0);
  }

  bool fits(std::size_t more) {
    if (bytes_ + more > memory_max_) {
      refuse("message has too many values: read, it would take more than " +
             std::to_string(memory_max_ >> 20) + " MiB; send it in smaller parts");
    }
    return !refusal_;
  }

  void refuse(std::string reason) {
    if (refusal_) return;
    refusal_ = std::move(reason);
    open_.clear();
    root_ = nullptr;
  }

  const std::size_t memory_max_;
  const std::string_view member_name_;
  Json root_;
  /// Containers that are not closed yet, outermost first. An array grows only at its end while the
  /// element before it is closed, so no pointer here ever dangles.
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::optional<Json> member_;
  bool at_member_ = false;
  int members_seen_ = 0;
  std::size_t depth_ = 0;
  std::size_t bytes_ = 0;
  std::optional<std::string> refusal_;
  std::optional<std::string> syntax_;
};

}  // namespace

JsonReading read_json_text(std::string_view text, std::size_t memory_max, std::string_view member) {
  using Kind = JsonReading::Kind;
  if (text.size() > limits::kMessageBytesMax) {
    return {Kind::Refused, nullptr,
            "message too large: " + std::to_string(text.size()) + " bytes, " +
                std::to_string(limits::kMessageBytesMax) + " bytes max",
            std::nullopt};
  }
  // nlohmann takes one for the end of the text, and would not see what follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return {Kind::Broken, nullptr,
            is_utf8(text) ? "not valid JSON: unexpected at byte " + std::to_string(nul + 1)
                          : "not valid UTF-8",
            std::nullopt};
  }
  BoundedBuilder builder(memory_max, member);
  Json::sax_parse(text.begin(), text.end(), &builder);
  if (builder.syntax()) {
    return {Kind::Broken, nullptr, is_utf8(text) ? *builder.syntax() : "not valid UTF-8",
            std::nullopt};
  }
  auto found = builder.take_member();
  if (builder.refusal()) {
    return {Kind::Refused, nullptr, *builder.refusal(), std::move(found)};
  }
  return {Kind::Whole, builder.take_root(), "", std::move(found)};
}

}  // namespace quiver
