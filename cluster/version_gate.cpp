#include "cluster/version_gate.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace quiver::cluster {
namespace {

using MajorMinor = std::pair<unsigned, unsigned>;

std::optional<MajorMinor> parse(std::string_view version) {
  MajorMinor out;
  const char* const end = version.data() + version.size();
  const auto major = std::from_chars(version.data(), end, out.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, out.second);
  if (minor.ec != std::errc() || minor.ptr == end || *minor.ptr != '.') return std::nullopt;
  return out;
}

}  // namespace

Status check_versions(std::string_view ours, std::string_view theirs) {
  const auto mine = parse(ours);
  const auto other = parse(theirs);
  if (mine && other && mine->first == other->first && mine->second <= other->second + 1 &&
      other->second <= mine->second + 1) {
    return Done{};
  }
  return Error{ErrorCode::FailedPrecondition,
               "version " + std::string(ours) + " and version " + std::string(theirs) +
                   " cannot be in one cluster: they must be at most one minor version apart"};
}

}  // namespace quiver::cluster
