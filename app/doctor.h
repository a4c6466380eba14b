#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/options.h"
#include "core/json.h"
#include "service/executor.h"

namespace quiver::app {

/// What the doctor found out about one thing.
struct Finding {
  enum class Level { Ok, Warn, Fail };
  Level level = Level::Ok;
  /// What was looked at, such as "data directory".
  std::string subject;
  std::string message;
  /// What to do; empty if all is well.
  std::string remedy;
};

/// Looks at everything that a node needs, in the order in which it needs it. Changes nothing: a
/// data directory that is not there is not made.
///
/// `executor`: of that data directory; asked only if the directory exists.
std::vector<Finding> diagnose(const Options& options, const std::filesystem::path& program_dir,
                              service::Executor& executor);

Finding check_data_directory(const std::filesystem::path& data_dir);
Finding check_free_space(const std::filesystem::path& data_dir);
Finding check_owner(const std::filesystem::path& data_dir);
Finding check_collections(const std::filesystem::path& data_dir, service::Executor& executor);
std::vector<Finding> check_model(const std::filesystem::path& model_dir);
Finding check_processor();
Finding check_port(const std::string& host, std::uint16_t port);

/// One line for each finding, with its remedy below it.
std::string to_text(const std::vector<Finding>& findings);
Json to_json(const std::vector<Finding>& findings);
bool has_failure(const std::vector<Finding>& findings);

}  // namespace quiver::app
