#pragma once

#include "app/cli.h"

namespace quiver::app {

/// Carries out a command of the command line.
ExitCode run_command(const CommandLine& line);

}  // namespace quiver::app
