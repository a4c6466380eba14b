// Exports from a store kept in maps: every point comes once, and an import of the lines makes the
// same store again.

#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "app/exporter.h"
#include "app/importer.h"
#include "tests/app/fake_store.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

using Catch::Matchers::Contains;

Result<std::string> exported(FakeStore& store, bool vectors, ExportCounts* counts = nullptr) {
  std::string out;
  auto result = export_points(store, {}, "memory", vectors, [&](std::string_view line) -> Status {
    out += line;
    return Done{};
  });
  if (!result.ok()) return result.error();
  if (counts != nullptr) *counts = *result;
  return out;
}

FakeStore filled() {
  FakeStore store;
  auto& memory = store.collections["memory"];
  memory.dimension = 2;
  for (int i = 0; i < 25; ++i) {
    Json point{{"id", i}, {"text", "text " + std::to_string(i)}, {"vector", {i, 0.5}}};
    if (i % 2 == 0) point["metadata"] = {{"n", i}};
    memory.points[Json(i).dump()] = point;
  }
  return store;
}

TEST_CASE("export: every point once, over all pages", "[app][export]") {
  FakeStore store = filled();
  store.page = 4;
  ExportCounts counts;
  const auto text = exported(store, true, &counts);
  REQUIRE(text.ok());
  CHECK(counts.points == 25);
  std::istringstream lines(*text);
  std::map<std::string, Json> found;
  for (std::string line; std::getline(lines, line);) {
    const Json point = Json::parse(line);
    CHECK(found.emplace(point.at("id").dump(), point).second);
  }
  CHECK(found == store.collections["memory"].points);
}

TEST_CASE("export: what was exported imports to the same", "[app][export]") {
  FakeStore store = filled();
  const TempDir dir;
  for (const bool vectors : {false, true}) {
    const auto file = dir.write("out.jsonl", *exported(store, vectors));
    FakeStore copy;
    copy.collections["memory"].dimension = 2;
    const auto counts = import_files(copy, {}, {file}, {}, {});
    REQUIRE(counts.ok());
    CHECK(counts->added == 25);
    auto expected = store.collections["memory"].points;
    if (!vectors) {
      for (auto& [id, point] : expected) point.erase("vector");
    }
    CHECK(copy.collections["memory"].points == expected);
  }
}

TEST_CASE("export: points without text need --vectors", "[app][export]") {
  FakeStore store;
  store.collections["memory"].points["1"] = {{"id", 1}, {"vector", {1, 2}}};
  const auto text = exported(store, false);
  REQUIRE_FALSE(text.ok());
  CHECK_THAT(text.error().message, Contains("point 1") && Contains("--vectors"));
  CHECK(exported(store, true).ok());
}

TEST_CASE("export: failures come through", "[app][export]") {
  FakeStore store;
  CHECK(exported(store, true).error().code == ErrorCode::NotFound);
  store = filled();
  const auto full = export_points(store, {}, "memory", true, [](std::string_view) -> Status {
    return Error{ErrorCode::Unavailable, "stdout: closed"};
  });
  CHECK(full.error().message == "stdout: closed");
  CallContext cancelled;
  cancelled.cancel = CancelToken::make();
  cancelled.cancel.cancel();
  CHECK_FALSE(export_points(store, cancelled, "memory", true, {}).ok());
}

TEST_CASE("export: an owner of another version that answers otherwise is an error",
          "[app][export]") {
  struct Odd final : service::Executor {
    Result<Json> invoke(const CallContext&, std::string_view, const Json&) override {
      return Json{{"points", {{{"text", "no id"}}}}, {"next", 1}};
    }
  } odd;
  const auto result = export_points(odd, {}, "memory", false, [](std::string_view) -> Status {
    return Error{ErrorCode::Internal, "stop"};
  });
  CHECK_FALSE(result.ok());
  struct Empty final : service::Executor {
    Result<Json> invoke(const CallContext&, std::string_view, const Json&) override {
      return Json::object();
    }
  } empty;
  CHECK_THAT(export_points(empty, {}, "memory", false, {}).error().message,
             Contains("unexpected form"));
}

}  // namespace
}  // namespace quiver::app
