#include "mcp/revision.h"

#include <algorithm>

namespace quiver::mcp {

const Revision* find_revision(std::string_view version) noexcept {
  const auto* found = std::find_if(kRevisions.begin(), kRevisions.end(),
                                   [&](const Revision& r) { return r.version == version; });
  return found == kRevisions.end() ? nullptr : found;
}

std::size_t index_of(const Revision& revision) noexcept {
  return static_cast<std::size_t>(&revision - kRevisions.data());
}

const Revision& negotiate(std::string_view requested) noexcept {
  const Revision* found = find_revision(requested);
  if (found != nullptr && found->era == Era::Legacy) return *found;
  return *std::find_if(kRevisions.rbegin(), kRevisions.rend(),
                       [](const Revision& r) { return r.era == Era::Legacy; });
}

const Revision& assumed_revision() noexcept {
  return *find_revision("2025-03-26");
}

std::string version_list(Era era) {
  std::string list;
  for (auto revision = kRevisions.rbegin(); revision != kRevisions.rend(); ++revision) {
    if (revision->era != era) continue;
    if (!list.empty()) list += ", ";
    list += revision->version;
  }
  return list;
}

}  // namespace quiver::mcp
