// A process that shares a data directory with a fake engine. Arguments: data directory, engine
// directory, milliseconds of silence it bears. Says "owner" or "client", then carries out one
// {"operation","arguments","timeout_ms"} for each line of stdin and answers in a line; ends
// orderly at the end of stdin.

#include <chrono>
#include <iostream>
#include <string>

#include "app/logging.h"
#include "app/shared_executor.h"
#include "tests/app/fake_engine.h"

int main(int argc, char** argv) {
  using namespace quiver;
  if (argc != 4 || !app::start_logging("off").ok()) return 2;
  app::SharingOptions options;
  options.client.silence = std::chrono::milliseconds(std::stoi(argv[3]));
  options.client.ping_after = options.client.silence / 4;
  app::SharedExecutor executor(argv[1], app::process_environment(), app::fake_engine(argv[2]),
                               options);
  const auto role = executor.attach({});
  if (!role.ok()) {
    std::cout << role.error().message << std::endl;
    return 1;
  }
  std::cout << (*role == app::SharedExecutor::Role::Owner ? "owner" : "client") << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line);
    CallContext call;
    if (request.contains("timeout_ms")) {
      call.deadline = std::chrono::steady_clock::now() +
                      std::chrono::milliseconds(request.at("timeout_ms").get<int>());
    }
    const auto outcome = executor.invoke(call, request.at("operation").get<std::string>(),
                                         request.value("arguments", Json::object()));
    const Json reply = outcome.ok() ? Json{{"result", *outcome}}
                                    : Json{{"error", outcome.error().message},
                                           {"code", traits(outcome.error().code).name}};
    std::cout << reply.dump() << std::endl;
  }
  executor.close();
  return 0;
}
