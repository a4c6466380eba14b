#include "storage/replica_file.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "storage/coding.h"
#include "storage/files.h"

namespace quiver::storage {
namespace {

constexpr const char* kFileName = "REPLICA";
constexpr const char* kRole = "the copy's record of its terms";
constexpr std::string_view kMagic = "QVREPL";
constexpr std::uint16_t kFormat = 1;
constexpr std::size_t kReignBytes = sizeof(Term) + sizeof(Seq);
/// Some 65,000 changes of primary.
constexpr std::size_t kBytesMax = std::size_t{1} << 20;

Error damaged(const std::string& how) {
  return {ErrorCode::Corruption, std::string(kRole) + " is damaged: " + how +
                                     ". The copy cannot take part any more: remove it, so that it "
                                     "is filled again from another"};
}

bool rises(const std::vector<ReplicaState::Reign>& reigns) {
  ReplicaState::Reign before;
  for (const auto& reign : reigns) {
    if (reign.term <= before.term || reign.first <= before.first) return false;
    before = reign;
  }
  return true;
}

}  // namespace

Status write_replica_file(const std::filesystem::path& directory, const ReplicaState& state) {
  ByteWriter out;
  out.raw(kMagic.data(), kMagic.size());
  out.number(kFormat);
  out.number(state.seen);
  out.number(state.born);
  out.number(static_cast<std::uint32_t>(state.reigns.size()));
  for (const auto& reign : state.reigns) {
    out.number(reign.term);
    out.number(reign.first);
  }
  out.number(stable_hash(out.out()));
  if (out.out().size() > kBytesMax) {
    return Error{ErrorCode::ResourceExhausted, std::string(kRole) + " would be larger than " +
                                                   std::to_string(kBytesMax) +
                                                   " bytes: its shard had too many primaries"};
  }
  return write_file_atomically(directory / kFileName, out.out(), kRole);
}

Result<ReplicaState> read_replica_file(const std::filesystem::path& directory) {
  // On the heap whatever its size: g++ warns of reads beyond the few bytes inside a std::string.
  QV_TRY(const auto read, read_file(directory / kFileName, kBytesMax, kRole));
  const std::vector<char> bytes(read.begin(), read.end());
  const std::string_view content(bytes.data(), bytes.size());
  ByteReader in(content);
  if (in.raw(kMagic.size()) != kMagic) return damaged("it does not begin as such a file does");
  const auto format = in.number<std::uint16_t>();
  if (!in.ok()) return damaged("it is too short");
  if (format != kFormat) {
    return Error{ErrorCode::FailedPrecondition,
                 std::string(kRole) + " is stored in format " + std::to_string(format) +
                     "; this program reads format " + std::to_string(kFormat)};
  }
  ReplicaState state;
  state.seen = in.number<Term>();
  state.born = in.number<std::uint64_t>();
  const auto count = in.count(kReignBytes);
  state.reigns.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto term = in.number<Term>();
    state.reigns.push_back({term, in.number<Seq>()});
  }
  const auto covered =
      content.substr(0, content.size() - std::min(content.size(), sizeof(std::uint64_t)));
  const auto checksum = in.number<std::uint64_t>();
  if (!in.complete()) return damaged("it is cut short, or goes on behind its end");
  if (checksum != stable_hash(covered)) return damaged("the checksum differs");
  if (!rises(state.reigns)) return damaged("its terms do not rise");
  return state;
}

}  // namespace quiver::storage
