#pragma once

// Directories for tests, and a file system whose disk fails on command.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <stdlib.h>

namespace quiver::storage::test {

/// A directory of its own, removed at the end. Where a test syncs much, in memory if there is such
/// a place.
class ScratchDirectory {
 public:
  enum class Where { Disk, Memory };

  explicit ScratchDirectory(Where where = Where::Disk) {
    const std::filesystem::path memory = "/dev/shm";
    const auto base = where == Where::Memory && std::filesystem::is_directory(memory)
                          ? memory
                          : std::filesystem::temp_directory_path();
    std::string path = (base / "quiver_XXXXXX").string();
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// What goes wrong from now on, for every file that is written.
struct Faults {
  std::atomic<bool> sync_fails{false};
  std::atomic<bool> disk_full{false};
};

class FaultyFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile> file, const Faults& faults)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    if (faults_.disk_full) return rocksdb::IOStatus::NoSpace("injected");
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    if (faults_.sync_fails) return rocksdb::IOStatus::IOError("injected");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }

 private:
  const Faults& faults_;
};

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFileSystem(const Faults& faults)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(faults) {}

  const char* Name() const override { return "FaultyFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    auto status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<FaultyFile>(std::move(*result), faults_);
    return status;
  }

 private:
  const Faults& faults_;
};

/// An environment on the real disk that obeys `faults`, which must outlive it.
inline std::unique_ptr<rocksdb::Env> faulty_environment(const Faults& faults) {
  return rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(faults));
}

}  // namespace quiver::storage::test
