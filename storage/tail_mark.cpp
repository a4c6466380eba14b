#include "storage/tail_mark.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "core/text.h"
#include "storage/coding.h"

namespace quiver::storage {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::size_t kMarkBytes = 3 * sizeof(std::uint64_t);

struct Content {
  Seq seq{0};
  bool refused_behind = false;
};

std::string encode(const Content& content) {
  ByteWriter out;
  out.number(content.seq);
  out.number(std::uint64_t{content.refused_behind ? 1U : 0U});
  out.number(stable_hash(out.out()));
  return out.take();
}

Content decode(std::string_view bytes) {
  ByteReader in(bytes);
  const auto seq = in.number<Seq>();
  const auto refused_behind = in.number<std::uint64_t>();
  const auto checksum = in.number<std::uint64_t>();
  if (in.complete() && checksum == stable_hash(bytes.substr(0, 2 * sizeof(std::uint64_t)))) {
    return {seq, refused_behind != 0};
  }
  QV_LOG_WARN("tail_mark_damaged bytes={}", bytes.size());
  return {};
}

}  // namespace

Result<TailMark> TailMark::open(const std::filesystem::path& file) {
  const auto doing = "open the tail mark " + file.string();
  FileDescriptor mark(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!mark.valid()) return file_error(errno, doing);
  std::array<char, kMarkBytes> bytes{};
  const auto size = ::pread(mark.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) return file_error(errno, doing);
  TailMark out(std::move(mark));
  if (size == 0) {
    // Takes the space that it will need when the disk is full.
    out.store(Seq{0});
    return out;
  }
  const auto content = decode({bytes.data(), static_cast<std::size_t>(size)});
  out.value_ = content.seq;
  out.refused_behind_ = content.refused_behind;
  return out;
}

void TailMark::write(Seq seq, bool refused_behind) {
  const auto bytes = encode({seq, refused_behind});
  if (::pwrite(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    QV_LOG_WARN("tail_mark_not_written error=\"{}\"", std::generic_category().message(errno));
  }
  value_ = seq;
  refused_behind_ = refused_behind;
}

}  // namespace quiver::storage
