#include "core/json_integers.h"

#include "core/json.h"
#include "core/text.h"

namespace quiver {
namespace {

/// Reads all and keeps one thing. The interface is the one that nlohmann::json::sax_parse asks for.
class IntegerWatch {
 public:
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(Json::number_integer_t) { return true; }
  bool number_unsigned(Json::number_unsigned_t) { return true; }
  bool number_float(Json::number_float_t, const std::string& text) {
    if (is_integer_text(text)) found_ = text;
    return !found_;
  }
  bool string(std::string&) { return true; }
  bool binary(Json::binary_t&) { return true; }
  bool start_object(std::size_t) { return true; }
  bool start_array(std::size_t) { return true; }
  bool end_object() { return true; }
  bool end_array() { return true; }
  bool key(std::string&) { return true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }

  std::optional<std::string> take() { return std::move(found_); }

 private:
  std::optional<std::string> found_;
};

}  // namespace

bool is_integer_text(std::string_view number) noexcept {
  return number.find_first_of(".eE") == std::string_view::npos;
}

std::string integer_too_large(std::string_view number) {
  constexpr std::size_t kShownBytes = 40;
  std::string shown(utf8_prefix(number, kShownBytes));
  if (shown.size() < number.size()) shown += "...";
  return "the integer " + shown +
         " does not fit 64 bits (-9223372036854775808 to 18446744073709551615) and would lose "
         "digits: send it as a string, or with an exponent (1e20) if it need not be exact";
}

std::optional<std::string> find_integer_too_large(std::string_view json_text) {
  IntegerWatch watch;
  Json::sax_parse(json_text.begin(), json_text.end(), &watch);
  return watch.take();
}

}  // namespace quiver
