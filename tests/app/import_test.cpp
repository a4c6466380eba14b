// Imports of real files into a store kept in maps: what is in the store afterwards is compared with
// what the files say, and a second run with no change at all.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "app/importer.h"
#include "app/jsonl.h"
#include "tests/app/fake_store.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

struct Fixture {
  TempDir dir;
  FakeStore store;
  ImportOptions options;

  Result<ImportCounts> import(const std::vector<fs::path>& paths) {
    return import_files(store, {}, paths, options, {});
  }
  ImportCounts done(const std::vector<fs::path>& paths) {
    auto counts = import(paths);
    if (!counts.ok()) FAIL(counts.error().message);
    return *counts;
  }
  Error refused(const std::vector<fs::path>& paths) {
    const auto counts = import(paths);
    REQUIRE_FALSE(counts.ok());
    return counts.error();
  }
  std::map<std::string, Json>& points() { return store.collections["memory"].points; }
  const Json* with_text(const std::string& text) {
    for (const auto& [key, point] : points()) {
      if (point.at("text") == text) return &point;
    }
    return nullptr;
  }
};

void check(const ImportCounts& counts, std::uint64_t added, std::uint64_t unchanged,
           std::uint64_t replaced, std::uint64_t removed) {
  CHECK(counts.added == added);
  CHECK(counts.unchanged == unchanged);
  CHECK(counts.replaced == replaced);
  CHECK(counts.removed == removed);
}

TEST_CASE("import: a folder becomes chunks that know where they came from", "[app][import]") {
  Fixture f;
  f.dir.write("notes/a.md", "# Title\n\nAlpha.\n\n## Part\n\nBeta.\n");
  f.dir.write("notes/deep/b.txt", "Gamma.\n");
  f.dir.write("notes/c.cpp", "int x;");
  f.dir.write("notes/.git/d.txt", "hidden");
  f.dir.write("notes/.hidden.md", "hidden");
  fs::create_symlink(f.dir.path() / "notes", f.dir.path() / "notes/loop");
  const auto counts = f.done({f.dir.path() / "notes"});
  CHECK(counts.sources == 2);
  check(counts, 3, 0, 0, 0);
  REQUIRE(f.points().size() == 3);
  const Json* beta = f.with_text("## Part\n\nBeta.");
  REQUIRE(beta != nullptr);
  CHECK(beta->at("metadata") ==
        Json{{"source", "notes/a.md"}, {"heading", "Title > Part"}, {"chunk", 1}, {"line", 5}});
  REQUIRE(f.with_text("Gamma.") != nullptr);
  CHECK(f.with_text("Gamma.")->at("metadata") ==
        Json{{"source", "notes/deep/b.txt"}, {"chunk", 0}, {"line", 1}});
}

TEST_CASE("import: JSONL in a folder is imported as JSONL", "[app][import]") {
  Fixture f;
  f.dir.write("n/a.txt", "plain");
  f.dir.write("n/deep/b.jsonl", "{\"id\":\"x\",\"text\":\"of a line\"}\n");
  f.dir.write("n/c.NDJSON", "{\"id\":\"y\",\"text\":\"of another\"}\n");
  const auto counts = f.done({f.dir.path() / "n"});
  CHECK(counts.sources == 3);
  check(counts, 3, 0, 0, 0);
  CHECK(f.points().at("\"x\"").at("text") == "of a line");
  CHECK(f.points().at("\"y\"").at("text") == "of another");
  check(f.done({f.dir.path() / "n"}), 0, 3, 0, 0);
}

TEST_CASE("import: a second run changes nothing and embeds nothing", "[app][import]") {
  Fixture f;
  std::string text = "# Book\n";
  for (int i = 0; i < 500; ++i) {
    text += "\n## Chapter " + std::to_string(i) + "\n\nSame words in each.\n";
  }
  const auto file = f.dir.write("book.md", text);
  check(f.done({file}), 500, 0, 0, 0);
  CHECK(f.store.calls["memory_store"] == 8);  // 500 / 64
  const auto before = f.points();
  f.store.calls.clear();
  check(f.done({file}), 0, 500, 0, 0);
  CHECK(f.points() == before);
  CHECK(f.store.calls["memory_store"] == 0);
  CHECK(f.store.calls["memory_delete"] == 0);
}

TEST_CASE("import: a changed file loses its stale chunks, and nothing else is removed",
          "[app][import]") {
  Fixture f;
  const auto file = f.dir.write("n/a.md", "# A\none\n# B\ntwo\n# C\nthree\n");
  f.dir.write("n/other.md", "# B\ntwo\n");
  check(f.done({f.dir.path() / "n"}), 4, 0, 0, 0);
  // Somebody else's point that says it came from the same file.
  f.points()["\"mine\""] = {{"id", "mine"}, {"text", "m"}, {"metadata", {{"source", "n/a.md"}}}};
  f.dir.write("n/a.md", "# A\none\n# C\nthree\n# D\nfour\n");
  // B goes, D comes, C has moved up.
  check(f.done({f.dir.path() / "n"}), 1, 2, 1, 1);
  CHECK(f.with_text("# B\n\ntwo") != nullptr);  // of the other file
  CHECK(f.with_text("# B\n\ntwo")->at("metadata").at("source") == "n/other.md");
  CHECK(f.with_text("# C\n\nthree")->at("metadata").at("chunk") == 1);
  CHECK(f.points().count("\"mine\"") == 1);
  f.dir.write("n/a.md", "");
  check(f.done({f.dir.path() / "n"}), 0, 1, 0, 3);
  CHECK(f.points().size() == 2);
}

TEST_CASE("import: two files of the same name are two sources", "[app][import]") {
  Fixture f;
  const auto one = f.dir.write("x/docs/a.txt", "First.");
  const auto two = f.dir.write("y/docs/a.txt", "Second.");
  check(f.done({one.parent_path()}), 1, 0, 0, 0);
  check(f.done({two.parent_path()}), 1, 0, 0, 0);
  CHECK(f.points().size() == 2);
  check(f.done({one.parent_path()}), 0, 1, 0, 0);
}

TEST_CASE("import: a named source may move", "[app][import]") {
  Fixture f;
  f.options.source_name = "handbook";
  f.dir.write("x/a.txt", "First.\n");
  f.dir.write("y/a.txt", "First.\n\nSecond.");
  check(f.done({f.dir.path() / "x"}), 1, 0, 0, 0);
  CHECK(f.points().begin()->second.at("metadata").at("source") == "handbook/a.txt");
  check(f.done({f.dir.path() / "y"}), 1, 0, 0, 1);
}

TEST_CASE("import: the same paragraph twice in a file is two chunks", "[app][import]") {
  Fixture f;
  f.options.chunk_bytes = 10;
  const auto file = f.dir.write("a.txt", "same text\n\nsame text\n\nsame text\n");
  check(f.done({file}), 3, 0, 0, 0);
  check(f.done({file}), 0, 3, 0, 0);
}

TEST_CASE("import: JSONL lines with and without id", "[app][import]") {
  Fixture f;
  const auto file = f.dir.write("a.jsonl",
                                "{\"text\":\"one\"}\n"
                                "\n"
                                "{\"text\":\"two\",\"id\":\"b\",\"metadata\":{\"n\":2}}\r\n"
                                "{\"text\":\"three\",\"id\":7}");
  check(f.done({file}), 3, 0, 0, 0);
  CHECK(f.points().at("\"b\"") == Json{{"id", "b"}, {"text", "two"}, {"metadata", {{"n", 2}}}});
  CHECK(f.points().count("7") == 1);
  f.store.page = 1;  // export_page has to be asked again for what did not fit
  check(f.done({file}), 0, 3, 0, 0);
  f.dir.write("a.jsonl", "{\"text\":\"zwei\",\"id\":\"b\"}\n{\"text\":\"one\"}\n");
  check(f.done({file}), 0, 1, 1, 0);
  CHECK(f.points().at("\"b\"").at("text") == "zwei");
}

TEST_CASE("import: of two lines with the same id the later wins", "[app][import]") {
  Fixture f;
  const auto file =
      f.dir.write("a.jsonl", "{\"text\":\"old\",\"id\":\"x\"}\n{\"text\":\"new\",\"id\":\"x\"}\n");
  check(f.done({file}), 1, 0, 1, 0);
  CHECK(f.points().at("\"x\"").at("text") == "new");
}

TEST_CASE("import: vectors go as they are", "[app][import]") {
  Fixture f;
  f.options.collection = "vectors";
  f.store.collections["vectors"] = {3, false, "dot", {}};
  const auto file = f.dir.write("v.jsonl",
                                "{\"id\":1,\"vector\":[1,2.5,-3]}\n"
                                "{\"id\":2,\"vector\":[0,0,1],\"text\":\"t\",\"metadata\":{}}\n");
  check(f.done({file}), 2, 0, 0, 0);
  CHECK(f.store.collections["vectors"].points.at("1").at("vector") == Json({1, 2.5, -3}));
  f.store.calls.clear();
  check(f.done({file}), 0, 2, 0, 0);
  CHECK(f.store.calls["vector_upsert"] == 0);
  f.dir.write("v.jsonl",
              "{\"id\":1,\"vector\":[1,2.5,-3.5]}\n"
              "{\"id\":2,\"vector\":[0,0,1],\"text\":\"other\"}\n"
              "{\"id\":3,\"vector\":[0,0,1]}\n");
  check(f.done({file}), 1, 0, 2, 0);
}

TEST_CASE("import: vectors that the collection cannot take are named by their lines",
          "[app][import]") {
  Fixture f;
  f.options.collection = "unit";
  f.store.collections["unit"] = {2, false, "cosine", {}};
  const auto file = f.dir.write("v.jsonl",
                                "{\"id\":1,\"vector\":[1,2,3]}\n"
                                "{\"id\":2,\"vector\":[0,0]}\n"
                                "{\"id\":3,\"vector\":[1,0]}\n");
  const auto message = f.refused({file}).message;
  CHECK_THAT(message, Contains("v.jsonl:1: the vector has 3 numbers, the collection needs 2"));
  CHECK_THAT(message, Contains("v.jsonl:2: vector: all components are zero"));
  CHECK(f.store.collections["unit"].points.empty());
  f.options.skip_bad = true;
  const auto counts = f.done({file});
  CHECK(counts.added == 1);
  CHECK(counts.skipped_count == 2);
}

TEST_CASE("import: texts and vectors of one file keep their order", "[app][import]") {
  Fixture f;
  f.store.collections["memory"].dimension = 2;
  const auto file = f.dir.write("m.jsonl",
                                "{\"id\":\"a\",\"text\":\"t\"}\n"
                                "{\"id\":\"a\",\"vector\":[1,2],\"text\":\"v\"}\n"
                                "{\"id\":\"b\",\"text\":\"u\"}\n");
  check(f.done({file}), 2, 0, 1, 0);
  CHECK(f.points().at("\"a\"").contains("vector"));
}

TEST_CASE("import: one bad line and nothing is written", "[app][import]") {
  Fixture f;
  const auto file = f.dir.write("a.jsonl",
                                "{\"text\":\"fine\"}\n"
                                "{\"text\":5}\n"
                                "{\"text\":\"x\",\"metdata\":{}}\n");
  const auto error = f.refused({f.dir.write("ok.txt", "Fine."), file});
  CHECK(error.code == ErrorCode::InvalidArgument);
  CHECK_THAT(error.message, Contains("a.jsonl:2: text: expected a string, got number"));
  CHECK_THAT(error.message, Contains("a.jsonl:3: unknown key \"metdata\"; did you mean metadata?"));
  CHECK_THAT(error.message, Contains("--skip-bad"));
  CHECK(f.store.calls == std::map<std::string, int>{{"collection_info", 1}});

  f.options.skip_bad = true;
  const auto counts = f.done({file});
  check(counts, 1, 0, 0, 0);
  CHECK(counts.skipped_count == 2);
  REQUIRE(counts.skipped.size() == 2);
  CHECK_THAT(counts.skipped[0], Contains("a.jsonl:2"));
  CHECK(counts.to_json().at("skipped") == 2);
}

TEST_CASE("import: many bad lines are summed up", "[app][import]") {
  Fixture f;
  std::string lines;
  for (int i = 0; i < 25; ++i) lines += "x\n";
  CHECK_THAT(f.refused({f.dir.write("a.jsonl", lines)}).message, Contains("and 15 more"));
}

TEST_CASE("import: what a line of JSONL must not be", "[app][import]") {
  const TempDir dir;
  const auto [line, problem] = GENERATE(table<std::string, std::string>({
      {"[1]", "expected an object, got array"},
      {"{\"id\":\"a\"}", "neither a text nor a vector"},
      {"{\"vector\":[1]}", "needs an id"},
      {"{\"text\":\"\"}", "1 to 65536 bytes, has 0"},
      {"{\"text\":\"a\",\"id\":\"\"}", "id: "},
      {"{\"text\":\"a\",\"id\":1.5}", "id: "},
      {"{\"text\":\"a\",\"metadata\":[]}", "metadata: expected an object, got array"},
      {"{\"id\":1,\"vector\":\"x\"}", "array of numbers, got string"},
      {"{\"id\":1,\"vector\":[]}", "1 to 4096 numbers, has 0"},
      {"{\"id\":1,\"vector\":[1,\"2\"]}", "vector[1]: expected a finite number, got \"2\""},
      {"{\"id\":1,\"vector\":[1e300]}", "vector[0]: expected a finite number"},
      {"{\"text\":\"a\",\"text\":\"b\"}", "key \"text\" appears twice"},
      {R"({"text":"a","metadata":{"n":[1e30,18446744073709551616]}})",
       "the integer 18446744073709551616 does not fit 64 bits"},
      {"{\"text\":\"a\",\"metadata\":{\"o\":[{\"k\":1},{\"k\":1,\"k\":2}]}}", "key \"k\" appears"},
      {"{\"text\":\"a\"", "not JSON"},
      {"{\"text\":\"\xff\"}", "not JSON"},
      {std::string(100, '[') + std::string(100, ']'), "nested too deeply"},
      {"{\"text\":\"" + std::string(5 << 20, 'a') + "\"}", "longer than 4 MiB"},
  }));
  JsonlReader reader(dir.write("a.jsonl", "\n" + line + "\n{\"text\":\"next\"}\n"));
  const auto record = reader.next();
  REQUIRE_FALSE(record.ok());
  CHECK_THAT(record.error().message, Contains("a.jsonl:2: ") && Contains(problem));
  const auto next = reader.next();
  REQUIRE(next.ok());
  CHECK((*next)->line == 3);
  CHECK_FALSE(reader.next()->has_value());
}

TEST_CASE("import: reads what an export may hold", "[app]") {
  TempDir dir;
  JsonlReader reader(dir.write(
      "a.jsonl",
      "{\"id\":1,\"text\":\"\",\"vector\":[1],\"metadata\":{\"a\":{\"k\":1},\"b\":{\"k\":1}}}\n"));
  const auto record = reader.next();
  REQUIRE(record.ok());
  CHECK((*record)->point.at("text") == "");
}

TEST_CASE("import: vectors of several dimensions are refused", "[app][import]") {
  Fixture f;
  const auto file =
      f.dir.write("v.jsonl", "{\"id\":1,\"vector\":[1,2]}\n{\"id\":2,\"vector\":[1]}\n");
  CHECK_THAT(f.refused({file}).message, Contains("v.jsonl:2: the vector has 1 numbers"));
  f.options.skip_bad = true;
  f.store.collections["memory"].dimension = 2;
  CHECK(f.done({file}).skipped_count == 1);
  CHECK(f.points().size() == 1);
}

TEST_CASE("import: a file that is not text is refused with its line", "[app][import]") {
  Fixture f;
  const auto latin = f.dir.write("l.txt", "fine\nna\xEFve\n");
  const auto binary = f.dir.write("b.txt", std::string("a\n\n\0b", 5));
  const auto error = f.refused({latin, binary, f.dir.write("ok.txt", "ok")});
  CHECK_THAT(error.message, Contains("l.txt:2: is not UTF-8"));
  CHECK_THAT(error.message, Contains("b.txt:3: holds a NUL byte"));
  f.options.skip_bad = true;
  const auto counts = f.done({latin, f.dir.path() / "ok.txt"});
  check(counts, 1, 0, 0, 0);
  CHECK(counts.skipped_count == 1);
}

TEST_CASE("import: paths that are nothing to import", "[app][import]") {
  Fixture f;
  CHECK(f.refused({f.dir.path() / "absent"}).code == ErrorCode::NotFound);
  CHECK_THAT(f.refused({f.dir.path()}).message, Contains("holds no .txt, .md"));
  const auto file = f.dir.write("a.txt", "a");
  CHECK_THAT(f.refused({file, f.dir.path()}).message, Contains("named twice"));
  CHECK_THAT(f.refused({"/dev/null"}).message, Contains("not a file"));
  f.options.format = ImportFormat::Jsonl;
  CHECK_THAT(f.refused({f.dir.path()}).message, Contains("name the JSONL files"));
  CHECK_THAT(f.refused({file}).message, Contains("a.txt:1: not JSON"));
  f.options.format = ImportFormat::Text;
  check(f.done({f.dir.write("a.jsonl", "{\"text\":\"a\"}")}), 1, 0, 0, 0);
  CHECK(f.with_text("{\"text\":\"a\"}") != nullptr);
}

TEST_CASE("import: a collection that is not there is made only when asked", "[app][import]") {
  Fixture f;
  f.options.collection = "docs";
  const auto text = f.dir.write("a.txt", "a");
  const auto vectors = f.dir.write("v.jsonl", "{\"id\":1,\"vector\":[1,2]}\n");
  const auto error = f.refused({text});
  CHECK(error.code == ErrorCode::NotFound);
  CHECK_THAT(error.message, Contains("--create"));
  f.options.create = true;
  check(f.done({text}), 1, 0, 0, 0);
  CHECK(f.store.collections["docs"].embeds);
  f.options.collection = "vectors";
  check(f.done({vectors}), 1, 0, 0, 0);
  CHECK(f.store.collections["vectors"].dimension == 2);
  CHECK_FALSE(f.store.collections["vectors"].embeds);
  f.options.collection = "restored";
  f.options.embedder = "minilm";
  CHECK_THAT(f.refused({vectors}).message, Contains("needs 384"));
  CHECK(f.store.collections["restored"].embeds);
}

TEST_CASE("import: a collection that cannot take the points is refused before any is written",
          "[app][import]") {
  Fixture f;
  f.store.collections["memory"] = {3, false, "dot", {}};
  CHECK_THAT(f.refused({f.dir.write("a.txt", "a")}).message, Contains("ready-made vectors only"));
  CHECK_THAT(f.refused({f.dir.write("v.jsonl", "{\"id\":1,\"vector\":[1,2]}\n")}).message,
             Contains("has 2 numbers") && Contains("needs 3"));
  CHECK(f.points().empty());
}

TEST_CASE("import: a failure half-way says where and how much was written", "[app][import]") {
  Fixture f;
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "{\"text\":\"t" + std::to_string(i) + "\"}\n";
  f.store.before = [&](const std::string& operation, const Json&) -> Status {
    if (operation == "memory_store" && f.store.calls[operation] == 2) {
      return Error{ErrorCode::ResourceExhausted, "disk full"};
    }
    return Done{};
  };
  const auto error = f.refused({f.dir.write("a.jsonl", lines)});
  CHECK(error.code == ErrorCode::ResourceExhausted);
  CHECK_THAT(error.message, Contains("a.jsonl:65 to ") && Contains("a.jsonl:100: disk full"));
  CHECK_THAT(error.message, Contains("64 points were written"));
  f.store.before = nullptr;
  check(f.done({f.dir.path() / "a.jsonl"}), 36, 64, 0, 0);
}

TEST_CASE("import: each write is a request of its own", "[app][import]") {
  Fixture f;
  CallContext call;
  call.request_id = RequestId::random();
  const auto file = f.dir.write("a.txt", "a");
  REQUIRE(import_files(f.store, call, {file}, f.options, {}).ok());
  CHECK(f.store.request_ids.count(call.request_id.hex()) == 0);
}

TEST_CASE("import: ends soon after its caller has cancelled", "[app][import]") {
  Fixture f;
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += "{\"text\":\"t" + std::to_string(i) + "\"}\n";
  const auto file = f.dir.write("a.jsonl", lines);
  CallContext call;
  call.cancel = CancelToken::make();
  const auto counts = import_files(f.store, call, {file}, f.options,
                                   [&](auto, auto, const auto&) { call.cancel.cancel(); });
  REQUIRE_FALSE(counts.ok());
  CHECK(counts.error().code == ErrorCode::DeadlineExceeded);
  CHECK(f.points().size() == 64);
}

TEST_CASE("import: progress runs from nothing to everything", "[app][import]") {
  Fixture f;
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += "{\"text\":\"t" + std::to_string(i) + "\"}\n";
  const auto file = f.dir.write("a.jsonl", lines);
  std::vector<std::uint64_t> seen;
  REQUIRE(import_files(f.store, {}, {file}, f.options,
                       [&](std::uint64_t done, std::uint64_t total, const ImportCounts&) {
                         CHECK(total == lines.size());
                         CHECK(done <= total);
                         seen.push_back(done);
                       })
              .ok());
  REQUIRE(seen.size() >= 4);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == lines.size());
}

}  // namespace
}  // namespace quiver::app
