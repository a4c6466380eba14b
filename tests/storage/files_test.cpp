#include "storage/files.h"

#include <cerrno>
#include <fstream>

#include <unistd.h>

#include "tests/storage/scratch.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

TEST_CASE("files: a small file is replaced whole", "[storage][files]") {
  const ScratchDirectory scratch;
  const auto file = scratch / "f";
  CHECK(read_file(file, 10, "the file").error().code == ErrorCode::NotFound);
  REQUIRE(write_file_atomically(file, "first", "the file").ok());
  REQUIRE(write_file_atomically(file, "second", "the file").ok());
  CHECK(read_file(file, 6, "the file").value() == "second");
  CHECK(read_file(file, 5, "the file").error().code == ErrorCode::ResourceExhausted);
  CHECK_FALSE(std::filesystem::exists(scratch / "f.new"));
}

TEST_CASE("files: a replacement that fails leaves the old content and no rubbish",
          "[storage][files]") {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "f");
  const auto status = write_file_atomically(scratch / "f", "x", "the file");
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::Unavailable);
  CHECK(status.error().message.find("cannot write the file") == 0);
  CHECK_FALSE(std::filesystem::exists(scratch / "f.new"));
  CHECK_FALSE(write_file_atomically(scratch / "none" / "f", "x", "the file").ok());
  CHECK_FALSE(read_file(scratch / "f", 10, "the file").ok());
}

TEST_CASE("files: directories are made with all above them", "[storage][files]") {
  const ScratchDirectory scratch;
  CHECK(make_directories(scratch / "a" / "b" / "c", "the test directory").ok());
  CHECK(std::filesystem::is_directory(scratch / "a" / "b" / "c"));
  CHECK(make_directories(scratch / "a" / "b" / "c", "the test directory").ok());
  std::ofstream(scratch / "file") << "x";
  for (const auto& wrong : {scratch / "file", scratch / "file" / "below"}) {
    const auto status = make_directories(wrong, "the test directory");
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == ErrorCode::Unavailable);
    CHECK(status.error().message.find("the test directory") != std::string::npos);
  }
  CHECK_FALSE(sync_directory(scratch / "none").ok());
}

TEST_CASE("files: want of room is told apart from other failures", "[storage][files]") {
  CHECK(file_error(ENOSPC, "write").code == ErrorCode::ResourceExhausted);
  CHECK(file_error(EDQUOT, "write").code == ErrorCode::ResourceExhausted);
  CHECK(file_error(EFBIG, "write").code == ErrorCode::ResourceExhausted);
  CHECK(file_error(EACCES, "write").code == ErrorCode::Unavailable);
}

TEST_CASE("files: a descriptor closes once", "[storage][files]") {
  FileDescriptor none;
  CHECK_FALSE(none.valid());
  FileDescriptor moved(std::move(none));
  FileDescriptor other(::dup(2));
  moved = std::move(other);
  CHECK(moved.valid());
}
