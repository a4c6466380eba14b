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
constexpr std::size_t kMarkBytes = 2 * sizeof(std::uint64_t);

std::string encode(Seq seq) {
  ByteWriter out;
  out.number(seq);
  out.number(stable_hash(out.out()));
  return out.take();
}

Seq decode(std::string_view bytes) {
  ByteReader in(bytes);
  const auto seq = in.number<Seq>();
  const auto checksum = in.number<std::uint64_t>();
  if (in.complete() && checksum == stable_hash(bytes.substr(0, sizeof(Seq)))) return seq;
  QV_LOG_WARN("tail_mark_damaged bytes={}", bytes.size());
  return Seq{0};
}

}  // namespace

Result<TailMark> TailMark::open(const std::filesystem::path& file) {
  const auto doing = "open the tail mark " + file.string();
  FileDescriptor mark(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!mark.valid()) return file_error(errno, doing);
  std::array<char, kMarkBytes> bytes{};
  const auto size = ::pread(mark.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) return file_error(errno, doing);
  if (size == 0) return TailMark(std::move(mark), Seq{0});
  const Seq value = decode({bytes.data(), static_cast<std::size_t>(size)});
  return TailMark(std::move(mark), value);
}

void TailMark::store(Seq seq) {
  const auto bytes = encode(seq);
  if (::pwrite(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    QV_LOG_WARN("tail_mark_not_written error=\"{}\"", std::generic_category().message(errno));
  }
  value_ = seq;
}

}  // namespace quiver::storage
