#include <new>
#include <stdexcept>

#include "world.h"

namespace quiver::service {
namespace {

struct Nothing {
  static constexpr auto fields() { return describe(); }
};

Result<Nothing> answer(const CallContext&, Engine&, const Nothing&) {
  return Nothing{};
}
Result<Nothing> throw_bug(const CallContext&, Engine&, const Nothing&) {
  throw std::logic_error("the text of a secret");
}
Result<Nothing> throw_out_of_memory(const CallContext&, Engine&, const Nothing&) {
  throw std::bad_alloc();
}

Registry three() {
  const auto about = [](std::string_view name) {
    return About{name, "Title", "Does it.", Toolset::Memory, Access::Read, Effects{}, Route{}};
  };
  return Registry({operation(about("out_of_memory"), &throw_out_of_memory),
                   operation(about("bug"), &throw_bug), operation(about("answer"), &answer)});
}

TEST_CASE("LocalExecutor: an unknown operation is told what there is", "[service]") {
  World world;
  const auto error = world.refused("memory_serch", Json::object());
  CHECK(error.code == ErrorCode::NotFound);
  CHECK(error.message.rfind("there is no operation \"memory_serch\"; did you mean memory_search? "
                            "(operations: cluster_add_node, ",
                            0) == 0);
}

TEST_CASE("LocalExecutor: what an operation throws becomes an error without its text",
          "[service]") {
  World world;
  const auto registry = three();
  LocalExecutor executor(registry, world.engine);
  CHECK(executor.invoke({}, "answer", Json::object())->dump() == "{}");

  const auto bug = executor.invoke({}, "bug", Json::object());
  REQUIRE_FALSE(bug.ok());
  CHECK(bug.error().code == ErrorCode::Internal);
  CHECK(bug.error().message == "bug: failed because of a bug in the server, which has logged it");

  const auto memory = executor.invoke({}, "out_of_memory", Json::object());
  REQUIRE_FALSE(memory.ok());
  CHECK(memory.error().code == ErrorCode::ResourceExhausted);
}

TEST_CASE("LocalExecutor: a request with fields that an operation lacks is refused", "[service]") {
  World world;
  const auto registry = three();
  LocalExecutor executor(registry, world.engine);
  const auto reply = executor.invoke({}, "answer", {{"x", 1}});
  REQUIRE_FALSE(reply.ok());
  CHECK(reply.error().message == "x: unknown field (there are none)");
}

TEST_CASE("LocalExecutor: a call whose caller is gone does nothing", "[service]") {
  World world;
  world.call.cancel = CancelToken::make();
  world.call.cancel.cancel();
  const auto error = world.refused("memory_store", {{"items", {{{"text", "cat"}}}}});
  CHECK(error.code == ErrorCode::DeadlineExceeded);
  CHECK_FALSE(world.collections.has("memory"));
}

}  // namespace
}  // namespace quiver::service
