#pragma once

#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "fakes.h"
#include "service/registry.h"
#include "tests/support/manual_clock.h"

namespace quiver::service {

/// A server without surfaces: operations are called by name with JSON, as every surface does.
class World {
 public:
  Json ok(std::string_view operation, const Json& arguments) {
    auto reply = executor.invoke(call, operation, arguments);
    INFO(operation << " " << arguments.dump().substr(0, 500));
    if (!reply.ok()) FAIL(reply.error().message);
    return *reply;
  }
  Error refused(std::string_view operation, const Json& arguments) {
    auto reply = executor.invoke(call, operation, arguments);
    INFO(operation << " " << arguments.dump().substr(0, 500));
    if (reply.ok()) FAIL("was not refused: " << reply->dump());
    return reply.error();
  }

  CallContext call;
  ManualClock clock;
  WordEmbedder embedder;
  FakeCollections collections{clock};
  Engine engine{collections,
                [this](std::string_view name) -> Result<embedding::Provider*> {
                  if (name == embedder.name()) return &embedder;
                  return Error{ErrorCode::InvalidArgument,
                               "embedder: one of words, got \"" + std::string(name) + "\""};
                },
                "words", clock};
  Registry registry = catalogue();
  LocalExecutor executor{registry, engine};
};

}  // namespace quiver::service
