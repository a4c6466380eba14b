#include "app/yaml_settings.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <yaml-cpp/yaml.h>

namespace quiver::app {
namespace {

constexpr std::streamsize kFileBytesMax = std::streamsize{1} << 20;
constexpr std::size_t kDepthMax = 8;

/// yaml-cpp counts lines from 0.
std::size_t line_of(const YAML::Mark& mark) {
  return mark.is_null() ? 1 : static_cast<std::size_t>(mark.line) + 1;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file) {}

  Status read_map(const YAML::Node& map, const std::string& prefix, std::size_t depth) {
    if (depth > kDepthMax) return wrong(map.Mark(), prefix + " is nested too deeply");
    for (const auto& item : map) {
      if (!item.first.IsScalar()) return wrong(item.first.Mark(), "a key must be a plain word");
      const std::string key = prefix + item.first.Scalar();
      if (item.second.IsMap()) {
        QV_CHECK(read_map(item.second, key + ".", depth + 1));
        continue;
      }
      const std::size_t line = line_of(item.first.Mark());
      const auto [first, is_new] = first_line_.try_emplace(key, line);
      if (!is_new) {
        return wrong(item.first.Mark(),
                     key + " is set again; it is set in line " + std::to_string(first->second));
      }
      QV_TRY(Setting setting, read_value(item.second, key));
      settings_.push_back({key, std::move(setting), line});
    }
    return Done{};
  }

  Error wrong(const YAML::Mark& mark, const std::string& problem) const {
    return {ErrorCode::InvalidArgument,
            file_.string() + ":" + std::to_string(line_of(mark)) + ": " + problem};
  }

  std::vector<FileSetting> take() { return std::move(settings_); }

 private:
  Result<Setting> read_value(const YAML::Node& value, const std::string& key) const {
    if (value.IsScalar()) return Setting{{value.Scalar()}, false, value.Tag() == "!"};
    if (!value.IsSequence()) return wrong(value.Mark(), key + " has no value");
    Setting setting{{}, true, false};
    for (const auto& item : value) {
      if (!item.IsScalar()) return wrong(item.Mark(), key + ": expected a list of plain values");
      setting.items.push_back(item.Scalar());
    }
    return setting;
  }

  std::filesystem::path file_;
  std::map<std::string, std::size_t> first_line_;
  std::vector<FileSetting> settings_;
};

Result<std::string> read_text(const std::filesystem::path& file) {
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable)) {
    return Error{ErrorCode::NotFound, "configuration file " + file.string() + " does not exist"};
  }
  if (!std::filesystem::is_regular_file(file, unreadable)) {
    return Error{ErrorCode::InvalidArgument,
                 "configuration file " + file.string() + " is not a file"};
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return Error{ErrorCode::PermissionDenied,
                 "cannot read " + file.string() + ": " + std::strerror(errno)};
  }
  std::string text(static_cast<std::size_t>(kFileBytesMax) + 1, '\0');
  stream.read(text.data(), kFileBytesMax + 1);
  if (stream.gcount() > kFileBytesMax) {
    return Error{ErrorCode::InvalidArgument,
                 file.string() + " is larger than 1 MiB: not a configuration of Quiver"};
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

}  // namespace

Result<std::vector<FileSetting>> read_yaml_settings(const std::filesystem::path& file) {
  QV_TRY(const std::string text, read_text(file));
  Reader reader(file);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty() || (documents.size() == 1 && documents.front().IsNull())) {
      return std::vector<FileSetting>{};
    }
    if (documents.size() > 1) {
      return reader.wrong(documents[1].Mark(), "a configuration is one YAML document");
    }
    if (!documents.front().IsMap()) {
      return reader.wrong(documents.front().Mark(), "expected `key: value` lines");
    }
    QV_CHECK(reader.read_map(documents.front(), "", 1));
  } catch (const YAML::Exception& problem) {
    return reader.wrong(problem.mark, "not YAML: " + problem.msg);
  }
  return reader.take();
}

}  // namespace quiver::app
