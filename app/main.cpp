#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/cli_output.h"
#include "app/commands.h"
#include "app/open_files.h"
#include "app/standard_streams.h"

namespace {

quiver::app::ExitCode run(const std::vector<std::string>& arguments) {
  using namespace quiver::app;
  if (const auto status = quiver::app::ensure_standard_streams(); !status.ok()) {
    return ExitCode::Failed;
  }
  raise_open_files_limit();
  auto parsed = parse_command_line(arguments);
  if (const auto* exit = std::get_if<CliExit>(&parsed)) {
    write_stderr(exit->error);
    return write_stdout(exit->out).ok() ? exit->code : ExitCode::Failed;
  }
  return run_command(std::get<CommandLine>(parsed));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return static_cast<int>(run({argv + std::min(argc, 1), argv + argc}));
  } catch (const std::exception& problem) {
    quiver::app::write_stderr(std::string("quiver: ") + problem.what() + "\n");
    return static_cast<int>(quiver::app::ExitCode::Failed);
  }
}
