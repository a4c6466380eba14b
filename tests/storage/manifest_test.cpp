#include "storage/manifest.h"

#include <fstream>

#include "storage/files.h"
#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

Manifest sample() {
  Manifest manifest{spec_of(3, Metric::Dot), ShardId{7}};
  manifest.spec.description = "für \"alle\"";
  manifest.spec.shard_count = 8;
  return manifest;
}

std::string content_of(const std::filesystem::path& directory) {
  return read_file(directory / "MANIFEST", 1 << 16, "it").value();
}

void put(const std::filesystem::path& directory, const std::string& content) {
  std::ofstream(directory / "MANIFEST", std::ios::binary) << content;
}

}  // namespace

TEST_CASE("manifest: comes back as it was written", "[storage][manifest]") {
  const ScratchDirectory scratch;
  REQUIRE(write_manifest(scratch.path(), sample()).ok());
  CHECK(read_manifest(scratch.path()).value() == sample());
  auto changed = sample();
  changed.shard = ShardId{6};
  REQUIRE(write_manifest(scratch.path(), changed).ok());
  CHECK(read_manifest(scratch.path()).value() == changed);
}

TEST_CASE("manifest: an absent one is told apart from a damaged one", "[storage][manifest]") {
  const ScratchDirectory scratch;
  CHECK(read_manifest(scratch.path()).error().code == ErrorCode::NotFound);
  put(scratch.path(), "");
  CHECK(read_manifest(scratch.path()).error().code == ErrorCode::Corruption);
  put(scratch.path(), "[1]");
  CHECK(read_manifest(scratch.path()).error().code == ErrorCode::Corruption);
  put(scratch.path(), R"({"format": "1"})");
  CHECK(read_manifest(scratch.path()).error().code == ErrorCode::Corruption);
}

TEST_CASE("manifest: a newer format names both formats, whatever else is in it",
          "[storage][manifest]") {
  const ScratchDirectory scratch;
  put(scratch.path(), R"({"format": 2, "something": "new"})");
  const auto newer = read_manifest(scratch.path());
  REQUIRE_FALSE(newer.ok());
  CHECK(newer.error().code == ErrorCode::FailedPrecondition);
  CHECK(newer.error().message ==
        "the shard is stored in format 2; this program reads format 1: "
        "run the version that wrote it, or restore a backup");
}

TEST_CASE("manifest: no single changed byte passes unnoticed", "[storage][manifest]") {
  const ScratchDirectory scratch;
  REQUIRE(write_manifest(scratch.path(), sample()).ok());
  const auto good = content_of(scratch.path());
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    put(scratch.path(), bad);
    const auto read = read_manifest(scratch.path());
    INFO("byte " << i << ": " << bad);
    // Between the members white space may change without changing what is said.
    if (read.ok()) {
      CHECK(read.value() == sample());
      continue;
    }
    const bool told = read.error().code == ErrorCode::Corruption ||
                      read.error().code == ErrorCode::FailedPrecondition;
    CHECK(told);
  }
}

TEST_CASE("manifest: a checksum that fits does not excuse a wrong content", "[storage][manifest]") {
  const ScratchDirectory scratch;
  auto manifest = sample();
  manifest.spec.dimension = 0;
  REQUIRE(write_manifest(scratch.path(), manifest).ok());
  CHECK_FALSE(read_manifest(scratch.path()).ok());
}

TEST_CASE("manifest: a directory that is not there is an error", "[storage][manifest]") {
  const ScratchDirectory scratch;
  const auto status = write_manifest(scratch / "none", sample());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::Unavailable);
  CHECK(status.error().message.find("the shard's manifest") != std::string::npos);
}
